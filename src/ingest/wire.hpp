// Events of logs in the form that the API takes (docs/api.md).
#pragma once

#include "ingest/events.hpp"

#include <boost/json/object.hpp>

#include <optional>

namespace skirmish::ingest {

// Nothing for facts, which are no events of a stream.
std::optional<boost::json::object> to_wire(const event& e);

}  // namespace skirmish::ingest
