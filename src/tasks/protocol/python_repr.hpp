// Values as Python's repr() shows them.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace skirmish::tasks {

// `{'a': None, 'b': [1, 'x']}`; cut to `limit_bytes`, with "..." at the end.
std::string python_repr(const boost::json::value& v, std::size_t limit_bytes = 1024);
// The same as a tuple: "(2, 3)", "(1,)".
std::string python_repr_tuple(const boost::json::array& items, std::size_t limit_bytes = 1024);
std::string python_repr(std::string_view text);

}  // namespace skirmish::tasks
