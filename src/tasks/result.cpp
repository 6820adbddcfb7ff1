// Waiting for results, and reading them.
#include "core/event.hpp"
#include "core/log.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/client_loop.hpp"
#include "tasks/protocol/control_message.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/python_repr.hpp"

namespace skirmish::tasks {
namespace {

bool is_final(std::string_view state) {
  return state == "SUCCESS" || state == "FAILURE" || state == "REVOKED";
}

// The document; null when the text is not one.
json parse_document(std::string_view text) {
  auto parsed = parse_json(text);
  return parsed && parsed->is_object() ? std::move(*parsed) : json();
}

std::string state_of(const json& document) {
  return std::string(document.is_object() ? text_at(document.get_object(), "status") : "PENDING");
}

[[noreturn]] void throw_failed(const json_object& document) {
  const std::string state(text_at(document, "status"));
  const std::string traceback(text_at(document, "traceback"));
  const auto* thrown = document.if_contains("result");
  if (thrown == nullptr || !thrown->is_object())
    throw task_failed("RuntimeError", json_array{json(thrown ? python_repr(*thrown) : "failed")},
                      "builtins", traceback, state);
  const auto& info = thrown->get_object();
  json_array arguments;
  if (const auto* message = info.if_contains("exc_message"))
    arguments = message->is_array() ? message->get_array() : json_array{json(*message)};
  throw task_failed(std::string(text_at(info, "exc_type")), std::move(arguments),
                    std::string(text_at(info, "exc_module")), traceback, state);
}

json value_of(const json& document) {
  const auto& fields = document.as_object();
  if (text_at(fields, "status") != "SUCCESS") throw_failed(fields);
  const auto* value = fields.if_contains("result");
  return value ? *value : json();
}

awaitable<json> read_document(app::impl& in, client_loop& loop, std::string key) {
  co_await loop.results().wait_connected(in.options.operation_timeout);
  auto reply = redis::checked(co_await loop.results().command("GET", key));
  co_return reply.is_nil() ? json() : parse_document(reply.as_string());
}

// Subscribes, then reads, then waits, so that a result that arrives in between is not missed.
awaitable<json> await_document(app::impl& in, client_loop& loop, std::string key,
                               milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  json found = co_await read_document(in, loop, key);
  if (is_final(state_of(found))) co_return found;
  event arrival(loop.io());
  bool read_again = false;
  redis::listener who;
  who.on_message = [&](std::string_view, std::string_view payload) {
    auto document = parse_document(payload);
    if (!is_final(state_of(document))) return;
    found = std::move(document);
    arrival.set();
  };
  who.on_reconnected = [&] {
    read_again = true;
    arrival.set();
  };
  auto subscription = loop.subscriber().subscribe(key, std::move(who));
  co_await subscription.confirmed(in.options.operation_timeout);
  read_again = true;
  while (true) {
    if (is_final(state_of(found))) co_return found;
    if (read_again) {
      read_again = false;
      auto now = co_await read_document(in, loop, key);
      if (is_final(state_of(now))) co_return now;
      continue;
    }
    if (std::chrono::steady_clock::now() >= deadline) throw timed_out("no result in time");
    co_await arrival.wait_until(deadline);
  }
}

template <class Work>
auto run(app::impl& in, Work work) {
  try {
    return in.client().block(std::move(work));
  } catch (const failure& e) {
    throw broker_unavailable(e.what());
  }
}

}  // namespace

json async_result::get(milliseconds timeout) const {
  auto& in = app_->internals();
  const auto work = [&] { return await_document(in, in.client(), in.keys.result(id_), timeout); };
  return value_of(run(in, work));
}

json async_result::document() const {
  auto& in = app_->internals();
  const auto work = [&] { return read_document(in, in.client(), in.keys.result(id_)); };
  return run(in, work);
}

std::string async_result::state() const { return state_of(document()); }
bool async_result::ready() const { return is_final(state()); }

void async_result::forget() const {
  auto& in = app_->internals();
  const auto key = in.keys.result(id_);
  const auto work = [&]() -> awaitable<void> {
    auto& redis = in.client().results();
    co_await redis.wait_connected(in.options.operation_timeout);
    redis::checked(co_await redis.command("DEL", key));
  };
  run(in, work);
}

void async_result::revoke(bool terminate) const {
  auto& in = app_->internals();
  json_object arguments{{"task_id", id_}, {"terminate", terminate}, {"signal", "SIGTERM"}};
  const auto envelope = control_request("revoke", std::move(arguments), {});
  const auto until =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(
                         (std::chrono::system_clock::now() + revoke_memory).time_since_epoch())
                         .count());
  const auto work = [&]() -> awaitable<void> {
    auto& redis = in.client().broker();
    co_await redis.wait_connected(in.options.operation_timeout);
    redis::request both;
    // Stored in Redis too, for workers that start later.
    both.push("ZADD", in.keys.own("revoked"), until, id_);
    both.push("PUBLISH", in.keys.pidbox(), envelope);
    redis::checked(co_await redis.exec(std::move(both)));
  };
  run(in, work);
}

std::vector<json> group_result::get(milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::vector<json> out;
  for (const auto& member : members_) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    out.push_back(member.get(std::max(left, milliseconds{0})));
  }
  return out;
}

}  // namespace skirmish::tasks
