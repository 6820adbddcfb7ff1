#include "http/scope.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace skirmish::http {
namespace {

constexpr std::array<std::pair<std::string_view, scope>, 6> words{{{"chat", scope::chat},
                                                                   {"events", scope::events},
                                                                   {"players", scope::players},
                                                                   {"read", scope::read},
                                                                   {"state", scope::state},
                                                                   {"tasks", scope::tasks}}};

// The longest prefix of whole segments decides.
constexpr std::pair<std::string_view, scope> groups[] = {
    {"/api/attacks", scope::events},
    {"/api/chat", scope::chat},
    {"/api/dead-letters", scope::tasks},
    {"/api/doctor", scope::tasks},
    {"/api/ingest", scope::events},
    {"/api/interactions", scope::events},
    {"/api/jobs", scope::tasks},
    {"/api/leaderboards", scope::events},
    {"/api/levels", scope::events},
    {"/api/nearby", scope::events},
    {"/api/players", scope::players},
    {"/api/players/{id}/achievements", scope::events},
    {"/api/players/{id}/inventory", scope::events},
    {"/api/players/{id}/nearby", scope::events},
    {"/api/players/{id}/notifications", scope::tasks},
    {"/api/positions", scope::events},
    {"/api/queues", scope::tasks},
    {"/api/recovery", scope::state},
    {"/api/schedules", scope::tasks},
    {"/api/sessions", scope::players},
    {"/api/state", scope::state},
    {"/api/tasks", scope::tasks},
    {"/api/workers", scope::tasks},
};

bool is_within(std::string_view pattern, std::string_view prefix) {
  return pattern.starts_with(prefix) &&
         (pattern.size() == prefix.size() || pattern[prefix.size()] == '/');
}

}  // namespace

std::string_view to_string(scope s) noexcept {
  for (const auto& [word, value] : words)
    if (value == s) return word;
  return "none";
}

result<scopes> scopes::parse(std::string_view text) {
  scopes out;
  if (text.empty()) return out;
  out.bits_ = 0;
  while (true) {
    const auto comma = std::min(text.find(','), text.size());
    const auto word = text.substr(0, comma);
    const auto* const found = std::ranges::find(words, word, &decltype(words)::value_type::first);
    if (found == words.end())
      return error{errc::invalid_argument, "`" + std::string(word.substr(0, 64)) +
                                               "` is no scope; there are chat, events, players, "
                                               "read, state and tasks"};
    out.bits_ |= static_cast<std::uint32_t>(found->second);
    if (comma == text.size()) return out;
    text.remove_prefix(comma + 1);
  }
}

bool scopes::allow(scope group, bool reads) const noexcept {
  if (bits_ == all) return true;
  const auto enough = static_cast<std::uint32_t>(group) |
                      (reads ? static_cast<std::uint32_t>(scope::read) : std::uint32_t{0});
  return (bits_ & enough) != 0;
}

std::string scopes::to_text() const {
  std::string out;
  if (bits_ == all) return out;
  for (const auto& [word, value] : words) {
    if ((bits_ & static_cast<std::uint32_t>(value)) == 0) continue;
    if (!out.empty()) out += ',';
    out += word;
  }
  return out;
}

scope scope_of(std::string_view pattern) {
  std::string_view longest;
  auto found = scope::none;
  for (const auto& [prefix, group] : groups) {
    if (!is_within(pattern, prefix) || prefix.size() <= longest.size()) continue;
    longest = prefix;
    found = group;
  }
  return found;
}

}  // namespace skirmish::http
