// Time: what "now" is, and its RFC 3339 form.
//
// Logic that depends on time takes a `const clock&`, so that tests move a `manual_clock` instead of
// sleeping.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish {

// Wall time in UTC with milliseconds: what clients send, what is stored.
using timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

class clock {
 public:
  virtual ~clock() = default;
  [[nodiscard]] virtual timestamp now() const = 0;
};

class system_clock final : public clock {
 public:
  [[nodiscard]] timestamp now() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
  }
};

// A clock that stands still until it is told to advance. For tests.
class manual_clock final : public clock {
 public:
  explicit manual_clock(timestamp start = timestamp{std::chrono::milliseconds{1'700'000'000'000}})
      : now_(start) {}
  [[nodiscard]] timestamp now() const override { return now_; }
  void advance(std::chrono::milliseconds by) { now_ += by; }

 private:
  timestamp now_;
};

// "2026-11-21T04:06:11.028Z". Years 1 to 9999.
std::string to_rfc3339(timestamp t);

// Accepts RFC 3339 (section 5.6): date, 'T' or 't' or a space, time, optional fraction (digits past
// the third are dropped), 'Z' or an offset. A leap second reads as the second that follows. Nothing
// else is accepted.
std::optional<timestamp> parse_rfc3339(std::string_view text);

}  // namespace skirmish
