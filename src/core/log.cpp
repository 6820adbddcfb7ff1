#include "core/log.hpp"

#include "core/clock.hpp"
#include "core/log_flood.hpp"
#include "core/recent_warnings.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <mutex>

namespace skirmish::log {
namespace {

spdlog::level::level_enum native(level at) {
  switch (at) {
    case level::debug: return spdlog::level::debug;
    case level::info: return spdlog::level::info;
    case level::warn: return spdlog::level::warn;
    case level::error: return spdlog::level::err;
    case level::off: return spdlog::level::off;
  }
  return spdlog::level::info;
}

spdlog::logger& sink() {
  static const auto instance = [] {
    auto logger = std::make_shared<spdlog::logger>(
        "skirmish", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%v");
    logger->flush_on(spdlog::level::debug);
    return logger;
  }();
  return *instance;
}

constexpr std::string_view names[] = {"debug", "info", "warn", "error", "off"};

std::optional<std::uint64_t> admit(std::string_view event, timestamp now) {
  static std::mutex mutex;
  static flood_guard guard;
  const std::lock_guard lock(mutex);
  return guard.admit(event,
                     std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
}

std::optional<std::uint64_t> admit_repeated(std::string_view event, std::string_view key,
                                            timestamp now) {
  static std::mutex mutex;
  static repeat_guard guard;
  const std::lock_guard lock(mutex);
  return guard.admit(fmt::format("{} {}", event, key),
                     std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
}

void put_line(spdlog::logger& out, level at, std::string_view event, fields values, timestamp now,
              std::uint64_t left_out) {
  auto line = fmt::format("{} {} {}", to_rfc3339(now), names[static_cast<std::size_t>(at)], event);
  for (const auto& f : values) line += fmt::format(" {}={}", f.key, quote(f.value));
  if (left_out > 0) line += fmt::format(" lines_left_out={}", left_out);
  out.log(native(at), "{}", line);
}

// Whether the line is for the log; for the list of warnings it may be all the same.
bool is_for_log(spdlog::logger& out, level at, std::string_view event, fields values,
                timestamp now) {
  if (at == level::warn || at == level::error) warnings_of_process().note(at, event, values, now);
  return out.should_log(native(at));
}

bool is_plain(unsigned char c) { return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7F; }

}  // namespace

void set_level(level minimum) { sink().set_level(native(minimum)); }

bool set_level(std::string_view name) {
  const auto* found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) return false;
  set_level(static_cast<level>(found - std::begin(names)));
  return true;
}

bool is_on(level at) noexcept { return sink().should_log(native(at)); }

std::string quote(std::string_view value) {
  if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain))
    return std::string(value);
  std::string out = "\"";
  for (const unsigned char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < ' ' || c == 0x7F) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  out += '"';
  return out;
}

void write(level at, std::string_view event, fields values) {
  const auto now = system_clock{}.now();
  if (!is_for_log(sink(), at, event, values, now)) return;
  const auto left_out = admit(event, now);
  if (left_out) put_line(sink(), at, event, values, now, *left_out);
}

void repeated(level at, std::string_view key, std::string_view event, fields values) {
  const auto now = system_clock{}.now();
  if (!is_for_log(sink(), at, event, values, now)) return;
  const auto left_out = admit_repeated(event, key, now);
  if (left_out) put_line(sink(), at, event, values, now, *left_out);
}

}  // namespace skirmish::log
