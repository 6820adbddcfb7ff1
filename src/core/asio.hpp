// The one place that says how Skirmish uses Asio: the namespace, the awaitable and the completion
// token.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace skirmish {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using boost::system::error_code;

}  // namespace skirmish
