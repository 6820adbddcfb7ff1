#include "interactions/latest_attacks.hpp"

#include "core/parse.hpp"

namespace skirmish::interactions {
namespace {

// Takes what stands before `end`; all of it when `end` is missing.
std::string_view take(std::string_view& text, char end) {
  const auto at = text.find(end);
  const auto word = text.substr(0, at);
  text.remove_prefix(at == text.npos ? text.size() : at + 1);
  return word;
}

}  // namespace

bool latest_attacks::add(std::string_view text) {
  const auto committed = parse_integer(take(text, '\n'));
  if (!committed) return false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == text.npos) return false;
    auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    attack_line record;
    record.pair = take(line, ' ');
    record.damage = take(line, ' ');
    record.ts = take(line, ' ');
    record.id = line;
    record.committed_ms = *committed;
    if (record.ts.empty()) return false;
    const auto [found, fresh] = index_.try_emplace(record.pair, records_.size());
    if (fresh)
      records_.push_back(record);
    else
      records_[found->second] = record;
  }
  return true;
}

}  // namespace skirmish::interactions
