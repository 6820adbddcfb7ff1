// How the router asks the gate: what a request costs, as whom it counts, and what an answer says of
// the limits.
#include "http/problem.hpp"
#include "http/request_head.hpp"
#include "http/router.hpp"

namespace skirmish::http {
namespace {

// What the last of several questions says holds.
std::optional<response> outcome_of(exchange& x, passage passed) {
  x.answer_fields.clear();
  if (!passed.policies.empty()) {
    x.answer_fields.emplace_back("RateLimit-Policy", std::move(passed.policies));
    x.answer_fields.emplace_back("RateLimit", std::move(passed.state));
  }
  if (passed.allowed) return std::nullopt;
  return answer_to_refused(x, passed);
}

}  // namespace

response answer_to_refused(const exchange& x, const passage& refused) {
  auto r = problem(refusal_of(refused), x.request_id);
  if (refused.retry_after != std::chrono::milliseconds::max())
    set_retry_after(r, refused.retry_after);
  return r;
}

void router::limit_by(gate& limits) {
  gate_ = &limits;
  targets_.clear();
  for (const auto& r : routes_)
    targets_.push_back(r.cost == 0 ? gate::unlimited
                                   : limits.add_target(to_string(r.method), r.pattern));
  for (auto& [path, fast] : fast_)
    for (std::size_t i = 0; i < routes_.size(); ++i)
      if (routes_[i].method == verb::get && routes_[i].pattern == path) fast.second = targets_[i];
  for (const auto& [path, handle] : websockets_)
    websocket_targets_[path] = limits.add_target("GET", path);
  stray_ = limits.add_target("", "");
}

gate::target router::target_of(const route& r) const {
  const auto index = static_cast<std::size_t>(&r - routes_.data());
  return index < targets_.size() ? targets_[index] : gate::unlimited;
}

awaitable<std::optional<response>> router::limit_head(exchange& x, const route& r) const {
  const auto to = target_of(r);
  auto who = caller_of(x.who, x.req.remote_address);
  auto passed = co_await gate_->pass(to, std::move(who), r.cost);
  if (!passed.allowed && r.who == access::anyone)
    passed = co_await pass_as_owner(x, to, r.cost, std::move(passed));
  co_return outcome_of(x, std::move(passed));
}

// Public routes look at nobody's credentials, and count by address: a proxy's, perhaps, which many
// share. Who shows a good one is counted as its owner once that is used up.
awaitable<passage> router::pass_as_owner(exchange& x, gate::target to, std::int64_t cost,
                                         passage refused) const {
  if (!has_credential(x.req) || x.is_cross_site) co_return refused;
  principal owner;
  try {
    auto known = co_await authenticate_(x.req);
    if (known) owner = std::move(*known);
  } catch (const failure&) {
    // It cannot be looked up now, so it counts for nothing.
  }
  if (owner.as == role::anonymous) co_return refused;
  if (!is_limited(to, owner.as)) co_return passage{};
  auto who = caller_of(owner, x.req.remote_address);
  co_return co_await gate_->pass(to, std::move(who), cost);
}

// The first of its elements was paid for with the head.
awaitable<std::optional<response>> router::limit_body(exchange& x, const route& r) const {
  const auto more = cost_of(x.body) - 1;
  if (more == 0) co_return std::nullopt;
  auto who = caller_of(x.who, x.req.remote_address);
  auto passed = co_await gate_->pass(target_of(r), std::move(who), more, r.cost);
  co_return outcome_of(x, std::move(passed));
}

// Counted by its address, whatever credential it shows: nobody looks at that.
awaitable<std::optional<response>> router::limit_unknown(exchange& x, gate::target to,
                                                         std::int64_t cost) const {
  if (!is_limited(to, role::anonymous)) co_return std::nullopt;
  auto who = caller_of(principal{}, x.req.remote_address);
  auto passed = co_await gate_->pass(to, std::move(who), cost);
  co_return outcome_of(x, std::move(passed));
}

awaitable<std::optional<response>> router::limit_stray(exchange& x) const {
  return limit_unknown(x, stray_, 1);
}

// Routes that are not limited are not for those whom they refuse.
awaitable<std::optional<response>> router::limit_refused(exchange& x, const route& r) const {
  const auto to = target_of(r);
  const bool is_unlimited = to == gate::unlimited;
  return limit_unknown(x, is_unlimited ? stray_ : to, is_unlimited ? 1 : r.cost);
}

awaitable<std::optional<response>> router::limit_websocket(exchange& x, principal who) const {
  const auto found = websocket_targets_.find(x.req.path);
  if (found == websocket_targets_.end() || !is_limited(found->second, who.as))
    co_return std::nullopt;
  auto counted = caller_of(who, x.req.remote_address);
  const auto passed = co_await gate_->pass(found->second, std::move(counted), 1);
  if (passed.allowed) co_return std::nullopt;
  co_return answer_to_refused(x, passed);
}

void router::finish(exchange& x, response& r) const {
  for (auto& [name, value] : x.answer_fields) r.with(std::move(name), std::move(value));
  x.answer_fields.clear();
}

}  // namespace skirmish::http
