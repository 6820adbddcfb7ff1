#include "interactions/replica_marks.hpp"

#include "core/parse.hpp"

#include <algorithm>
#include <functional>
#include <string>

namespace skirmish::interactions {
namespace {

// The text behind `name` up to one of `ends`; empty when it is not there.
std::string_view text_behind(std::string_view in, std::string_view name, std::string_view ends) {
  const auto at = in.find(name);
  if (at == std::string_view::npos) return {};
  const auto begin = at + name.size();
  return in.substr(begin, in.find_first_of(ends, begin) - begin);
}

std::int64_t number_behind(std::string_view in, std::string_view name) {
  return parse_integer(std::string(text_behind(in, name, ",\r\n"))).value_or(0);
}

}  // namespace

std::optional<replication_state> read_replication(std::string_view info) {
  if (text_behind(info, "role:", "\r\n") != "master") return std::nullopt;
  replication_state out;
  out.offset = number_behind(info, "master_repl_offset:");
  for (std::size_t begin = 0; begin < info.size();) {
    const auto end = std::min(info.find('\n', begin), info.size());
    const auto line = info.substr(begin, end - begin);
    begin = end + 1;
    // slave0:ip=127.0.0.1,port=7001,state=online,offset=1234,lag=0
    if (line.starts_with("slave") && line.find(",state=online,") != std::string_view::npos)
      out.replicas.push_back(number_behind(line, ",offset="));
  }
  return out;
}

std::uint64_t replica_marks::note(std::uint64_t commit, const replication_state& state,
                                  std::size_t wanted) {
  if (!marks_.empty() && (marks_.back().commit == commit || marks_.size() >= marks_limit)) {
    // The place of the same commit stays where it was seen first; a full list moves its last on.
    if (marks_.back().commit != commit) marks_.back() = {state.offset, commit};
  } else {
    marks_.push_back({state.offset, commit});
  }
  auto acknowledged = state.replicas;
  if (acknowledged.size() < wanted || wanted == 0) return 0;
  std::ranges::sort(acknowledged, std::greater<>());
  const auto reached = acknowledged[wanted - 1];
  std::uint64_t out = 0;
  while (!marks_.empty() && marks_.front().offset <= reached) {
    out = marks_.front().commit;
    marks_.pop_front();
  }
  return out;
}

}  // namespace skirmish::interactions
