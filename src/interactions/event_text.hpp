// Events as text: one line of JSON each, for the log and a player's last actions.
#pragma once

#include "interactions/events.hpp"

#include <string>
#include <string_view>

namespace skirmish::interactions {

std::string_view word(score_operator op);

// to_rfc3339(), which remembers the last time it wrote: most events of a batch share it.
class time_text {
 public:
  // Valid until the next call.
  std::string_view operator()(timestamp t);

 private:
  timestamp last_;
  std::string text_;
};

// Appends the event and a line feed.
void append_json_line(std::string& out, const event& e, time_text& times);
// Without the line feed.
std::string to_json_line(const event& e);

}  // namespace skirmish::interactions
