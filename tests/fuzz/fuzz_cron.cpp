// A crontab line: refused with a reason, or one whose next times come, in order and soon found.
#include "core/cron.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace std::chrono;
  if (size == 0) return 0;
  // The first byte chooses the time from which to look: a day of the 250 years from 1900.
  const std::string_view line(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto parsed = skirmish::cron::parse(line);
  if (!parsed) {
    if (parsed.error().message.empty()) std::abort();
    return 0;
  }
  sys_time<microseconds> t = sys_days{year{1900} / 1 / 1} + days{data[0] * 359};
  for (int i = 0; i < 3; ++i) {
    const auto next = parsed->next_after(t);
    if (!next || *next <= t || *next - floor<minutes>(*next) != seconds{0}) std::abort();
    t = *next;
  }
  return 0;
}
