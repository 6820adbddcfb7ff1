#include "interactions/activity_delta.hpp"

#include "core/parse.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace skirmish::interactions {
namespace {

// Takes what stands before `end`; an empty text when `end` is missing.
std::string_view take(std::string_view& text, char end) {
  const auto at = text.find(end);
  if (at == text.npos) return text = {};
  const auto word = text.substr(0, at);
  text.remove_prefix(at + 1);
  return word;
}

std::int64_t take_number(std::string_view& text, char end) {
  return parse_integer(take(text, end)).value_or(-1);
}

std::size_t start_of_last_lines(std::string_view text, std::int64_t count) {
  auto at = text.size();
  while (count-- > 0 && at != text.npos) at = text.rfind('\n', at - 1);
  return at == text.npos ? 0 : at + 1;
}

}  // namespace

void append_activity_delta(std::string& out, const activity_delta& a) {
  fmt::format_to(std::back_inserter(out), "{} {} {} {:d} {} {}\n", a.player_id, a.count, a.place,
                 a.keeps_profile, a.lines, a.text.size());
  out += a.text;
}

bool activity_totals::add(std::string_view commit_text) {
  const auto block = take(commit_text, '\n');
  while (!commit_text.empty()) {
    activity_delta a;
    a.player_id = take(commit_text, ' ');
    a.count = take_number(commit_text, ' ');
    a.place = take(commit_text, ' ');
    a.keeps_profile = take(commit_text, ' ') == "1";
    a.lines = take_number(commit_text, ' ');
    const auto bytes = take_number(commit_text, '\n');
    if (a.count < 0 || a.lines < 0 || bytes < 0 || std::cmp_greater(bytes, commit_text.size()))
      return false;
    a.text = commit_text.substr(0, static_cast<std::size_t>(bytes));
    commit_text.remove_prefix(a.text.size());
    add(block, a);
  }
  return true;
}

void activity_totals::add(std::string_view block, const activity_delta& a) {
  const auto [found, fresh] = index_.try_emplace(std::string(a.player_id), players_.size());
  if (fresh) players_.push_back({found->first, 0, {}, false, 0, {}});
  auto& p = players_[found->second];
  if (a.count > 0) {
    p.count += a.count;
    p.mark.assign(block).append(a.place);
  }
  p.keeps_profile |= a.keeps_profile;
  if (a.lines == 0) return;
  if (p.lines > 0) p.text += '\n';
  p.text += a.text;
  p.lines += a.lines;
  // The oldest go now and then.
  if (p.lines < 2 * actions_limit_) return;
  p.text.erase(0, start_of_last_lines(p.text, actions_limit_));
  p.lines = actions_limit_;
}

}  // namespace skirmish::interactions
