#include "console/console_logins.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "http/client_address.hpp"
#include "http/problem.hpp"

namespace skirmish::console {
namespace {

using namespace http;

const rate_policy by_address{.name = "console-address", .rate_per_s = 1, .burst = 100};
const rate_policy by_key{.name = "console-key", .rate_per_s = 1, .burst = 100};
const rate_policy failures{.name = "console-failures", .rate_per_s = 1.0 / 60, .burst = 10};
// So that nobody fills the audit log: about a thousand per day, of all addresses and keys.
const rate_policy noted_failures{
    .name = "console-notes", .rate_per_s = 1'000.0 / 86'400, .burst = 1'000};

std::string counted(const exchange& x) {
  auto address = counted_address(x.req.remote_address);
  return is_valid_id(address) ? address : std::string("unknown");
}

}  // namespace

awaitable<std::optional<response>> login_guard::take(exchange& x, rate_policy policy,
                                                     std::string subject) {
  passage refused;
  refused.limit = policy.name;
  const auto decided = co_await limiter_.take(std::move(policy), std::move(subject));
  if (decided.allowed) co_return std::nullopt;
  refused.allowed = false;
  refused.retry_after = decided.retry_after;
  co_return answer_to_refused(x, refused);
}

awaitable<std::optional<response>> login_guard::admit_address(exchange& x) {
  return take(x, by_address, counted(x));
}

awaitable<std::optional<response>> login_guard::admit_key(exchange& x) {
  return take(x, by_key, x.who.id);
}

awaitable<response> login_guard::fail(exchange& x, error why) {
  auto subject = x.who.id.empty() ? counted(x) : x.who.id;
  auto hasty = co_await take(x, failures, std::move(subject));
  if (hasty) co_return std::move(*hasty);
  auto out = problem(why, x.request_id);
  co_await note_failure(x, out.status);
  co_return std::move(out);
}

// Nothing was changed, so it is answered even when it cannot be noted.
awaitable<void> login_guard::note_failure(exchange& x, int status) {
  const auto place = co_await limiter_.take(noted_failures, "all");
  if (!place.allowed) {
    log::warn("console_login_not_noted", {{"key_id", x.who.id}, {"address", counted(x)}});
    co_return;
  }
  try {
    auto note = co_await recorder_.begin(x, x.req.method, std::string(session_path));
    co_await recorder_.end(std::move(note), status);
  } catch (const failure& e) {
    log::warn("console_login_not_noted",
              {{"key_id", x.who.id}, {"address", counted(x)}, {"error", e.what()}});
  }
}

awaitable<response> login_guard::noted(exchange& x, handler work) {
  auto note = co_await recorder_.begin(x, x.req.method, std::string(session_path));
  response out;
  try {
    out = co_await work(x);
  } catch (const std::exception&) {
    out = answer_to_exception(x);
  }
  co_await recorder_.end(std::move(note), out.status);
  co_return std::move(out);
}

}  // namespace skirmish::console
