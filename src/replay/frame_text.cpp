#include "replay/frame_text.hpp"

#include "core/json_text.hpp"
#include "ingest/wire.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skirmish::cli {

namespace json = boost::json;

encoded_frame encode(const ingest::frame& f) {
  json::array events;
  for (const auto& e : f.events)
    if (auto wire = ingest::to_wire(e)) events.push_back(std::move(*wire));
  encoded_frame out{f.seq, events.size(), {}};
  out.text = json_text_of(json::object{{"seq", f.seq}, {"interactions", std::move(events)}});
  return out;
}

}  // namespace skirmish::cli
