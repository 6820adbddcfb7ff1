#include "tasks/worker/job.hpp"

#include "core/log.hpp"
#include "tasks/canvas/signature_tree.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/python_repr.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace skirmish::tasks {
namespace {

double steady_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string_view state_name(job_outcome how) {
  switch (how) {
    case job_outcome::success: return "SUCCESS";
    case job_outcome::retry: return "RETRY";
    case job_outcome::revoked: return "REVOKED";
    default: return "FAILURE";
  }
}

std::string extended_fields(const job& j) {
  if (!j.host.owner().options.result_extended) return {};
  std::string out = ", \"name\": ";
  append_json_string(out, j.m.task);
  out.append(", \"args\": ").append(j.m.args_repr).append(", \"kwargs\": ").append(j.m.kwargs_repr);
  out += ", \"worker\": ";
  append_json_string(out, j.host.node());
  fmt::format_to(std::back_inserter(out), ", \"retries\": {}, \"queue\": ", j.m.retries);
  append_json_string(out, j.m.queue);
  return out;
}

void write_document(job& j, job_outcome how) {
  if (!j.stores_result()) {
    const bool keep_error = how == job_outcome::failure && j.task &&
                            j.task->definition->options.store_errors_even_if_ignored;
    if (!keep_error) return;
  }
  std::string children = "[]";
  {
    const std::lock_guard lock(j.children_mutex);
    if (!j.children.empty()) {
      children.clear();
      append_json(children, j.children);
    }
  }
  result_fields fields{.id = j.m.id, .status = state_name(how)};
  std::string failure_json;
  if (how == job_outcome::success) {
    fields.result_json = j.result_json;
  } else {
    append_json(failure_json, j.problem.to_json());
    fields.result_json = failure_json;
    fields.traceback = j.problem.traceback;
  }
  fields.children_json = children;
  fields.group = j.m.group;
  fields.parent_id = j.m.parent_id;
  fields.done = how != job_outcome::retry;
  const auto extended = extended_fields(j);
  fields.extended = extended;
  j.document.reserve(fields.result_json.size() + 320);
  append_result_document(j.document, fields);
}

void take_plan(job& j, plan&& made) {
  const auto& owner = j.host.owner();
  for (const auto& chord : made.chords)
    for (auto& entry : chord_keys(owner.keys, chord)) j.follower_chords.push_back(std::move(entry));
  for (const auto& message : made.messages) {
    j.followers.push_back(address(owner.keys, message));
    if (owner.options.send_sent_event) j.follower_events.push_back(sent_fields(message));
  }
  if (!made.result_tuple.is_null()) {
    const std::lock_guard lock(j.children_mutex);
    j.children.push_back(std::move(made.result_tuple));
  }
}

void log_bad_follower(const job& j, const result<void>& expanded) {
  if (!expanded)
    log::warn("task_follower_bad",
              {{"task", j.m.task}, {"id", j.m.id}, {"error", expanded.error().message}});
}

// Fails the remaining steps of a chain: stores a failure for everybody who waits for its end, and
// reports it to the chord that its end is a member of.
void fail_steps(job& j, const json& chain, const failure_info& why) {
  if (!chain.is_array()) return;
  std::string failure_json;
  append_json(failure_json, why.to_json());
  for (const auto& step : chain.get_array()) {
    const auto given_up = abandon(step);
    for (const auto& id : given_up.ids) {
      std::string document;
      append_result_document(
          document,
          {.id = id, .status = "FAILURE", .result_json = failure_json, .traceback = why.traceback});
      j.more_results.emplace_back(id, std::move(document));
    }
    if (!given_up.chord.is_object() || given_up.group_id.empty()) continue;
    for (const auto& id : given_up.ends)
      j.chord_parts.push_back(part_of({j.m.id, j.m.root()}, given_up.group_id, given_up.group_index,
                                      id, given_up.chord, "FAILURE", failure_json));
  }
}

void follow_success(job& j, message_body& body, const json& value) {
  const bool has_chain = body.chain.is_array() && !body.chain.get_array().empty();
  if (body.callbacks.is_null() && !has_chain) return;
  const auto how = j.host.owner().sending_now(&j);
  json_array fed;
  fed.push_back(value);
  if (body.callbacks.is_array() && !body.callbacks.get_array().empty()) {
    plan made;
    log_bad_follower(j, expand_callbacks(body.callbacks.get_array(), fed, how, made));
    take_plan(j, std::move(made));
  }
  if (has_chain) {
    plan made;
    const auto sent = expand_chain_step(body.chain.get_array(), fed, how, made);
    log_bad_follower(j, sent);
    if (sent)
      take_plan(j, std::move(made));
    else
      fail_steps(j, body.chain, make_failure("ValueError", sent.error().message));
  }
}

void follow_failure(job& j, message_body& body) {
  if (body.errbacks.is_array()) {
    const auto how = j.host.owner().sending_now(&j);
    json_array fed;
    fed.push_back(json(j.m.id));
    for (const auto& errback : body.errbacks.get_array()) {
      plan made;
      log_bad_follower(j, expand(errback, fed, how, made));
      take_plan(j, std::move(made));
    }
  }
  fail_steps(j, body.chain, j.problem);
}

// Adds the job's own part when it is a member of a chord.
void add_chord_part(job& j, const json& chord) {
  const bool has_ended = j.ended == job_outcome::success || j.ended == job_outcome::failure ||
                         j.ended == job_outcome::revoked;
  if (!has_ended || !chord.is_object() || j.m.group.empty()) return;
  std::string result = j.result_json;
  if (j.ended != job_outcome::success) {
    result.clear();
    append_json(result, j.problem.to_json());
  }
  j.chord_parts.push_back(part_of({j.m.id, j.m.root()}, j.m.group, j.m.group_index, j.m.id, chord,
                                  state_name(j.ended), result));
}

double retry_delay_s(const job& j, const retry_options& asked) {
  const auto& options = j.task->definition->options;
  if (asked.countdown) return static_cast<double>(asked.countdown->count()) / 1000.0;
  if (options.retry_backoff_s <= 0)
    return static_cast<double>(options.default_retry_delay.count()) / 1000.0;
  const double limit = static_cast<double>(options.retry_backoff_max.count()) / 1000.0;
  const double longest =
      std::min(limit, options.retry_backoff_s * std::pow(2.0, std::min(j.m.retries, 60)));
  if (!options.retry_jitter) return longest;
  thread_local std::minstd_rand random{std::random_device{}()};
  return static_cast<double>(
      std::uniform_int_distribution<std::int64_t>(0, std::llround(longest))(random));
}

// Sends the message again, due later; or fails the job when its retries are used up.
bool settle_retry(job& j, message_body& body, const retry_requested& asked) {
  const auto& options = j.task->definition->options;
  const auto limit = asked.options.max_retries ? asked.options.max_retries : options.max_retries;
  const auto reason =
      asked.reason ? describe_exception(asked.reason, j.m.task)
                   : make_failure("Retry", "retry asked for", std::string(exceptions_module));
  if ((limit && j.m.retries >= *limit) || j.is_last_failure()) {
    j.problem = asked.reason ? reason
                             : make_failure("MaxRetriesExceededError",
                                            fmt::format("Can't retry {}[{}]", j.m.task, j.m.id),
                                            std::string(exceptions_module));
    follow_failure(j, body);
    write_document(j, job_outcome::failure);
    j.ended = job_outcome::failure;
    return true;
  }
  envelope_edit edit;
  edit.retries = j.m.retries + 1;
  edit.eta = asked.options.eta
                 ? std::chrono::time_point_cast<std::chrono::microseconds>(*asked.options.eta)
                 : wall_now() + std::chrono::microseconds(
                                    std::llround(retry_delay_s(j, asked.options) * 1e6));
  edit.parent_id = std::string(j.m.id);
  edit.new_delivery_tag = true;
  auto again = edit_envelope(j.m.raw, edit);
  if (!again) {
    j.problem = make_failure("RuntimeError", "cannot retry: " + again.error().message);
    j.ended = job_outcome::failure;
    write_document(j, job_outcome::failure);
    return true;
  }
  const auto& owner = j.host.owner();
  j.followers.push_back(
      {owner.keys.queue(j.m.queue, priority_step(j.m.priority)), std::move(*again)});
  if (owner.options.send_sent_event)
    j.follower_events.push_back(sent_again_fields(j.m, *edit.retries, *edit.eta));
  j.problem = reason;
  j.ended = job_outcome::retry;
  write_document(j, job_outcome::retry);
  return true;
}

bool is_retried_for(const job& j, const failure_info& problem) {
  const auto& names = j.task->definition->options.autoretry_for;
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& n) { return n == "*" || n == problem.type; });
}

void settle_failure(job& j, message_body& body, failure_info problem) {
  j.ended = job_outcome::failure;
  j.problem = std::move(problem);
  follow_failure(j, body);
  write_document(j, job_outcome::failure);
}

}  // namespace

bool job::stores_result() const {
  return !(m.ignore_result || (task && task->definition->options.ignore_result));
}

bool job::is_last_failure() const {
  const int limit = m.dead_letter_after > 0 ? m.dead_letter_after
                    : task                  ? task->definition->options.dead_letter_after
                                            : 0;
  return limit > 0 && m.retries + 1 >= limit;
}

std::optional<time_point> job::eta() const { return m.eta; }
std::optional<time_point> job::expires() const { return m.expires; }

json_object job::headers() const {
  auto parsed = parse_json(m.headers);
  return parsed && parsed->is_object() ? std::move(parsed->get_object()) : json_object();
}

void job::update_state(json meta, std::string_view state) {
  if (!stores_result()) return;
  std::string meta_json;
  append_json(meta_json, meta);
  std::string text;
  append_result_document(text, {.id = m.id,
                                .status = state,
                                .result_json = meta_json,
                                .group = m.group,
                                .parent_id = m.parent_id,
                                .done = false});
  host.publish_state(*this, std::move(text));
}

void job::check() const {
  if (is_aborted()) throw task_aborted();
  if (soft_limit_passed.load(std::memory_order_relaxed)) throw soft_time_limit_exceeded();
}

bool run_job(job& j) {
  const auto begin = steady_s();
  auto parsed = parse_body(j.m);
  if (!parsed) {
    j.runtime_s = steady_s() - begin;
    return settle_failed(j, make_failure("DecodeError", parsed.error().message, "kombu.exceptions"),
                         job_outcome::failure);
  }
  arguments given{std::move(parsed->args), std::move(parsed->kwargs)};
  std::exception_ptr thrown;
  json value;
  {
    running_scope scope(j, [&j](const json& tuple) {
      const std::lock_guard lock(j.children_mutex);
      j.children.push_back(tuple);
    });
    try {
      value = j.task->definition->run(j, given);
    } catch (...) {
      thrown = std::current_exception();
    }
  }
  j.runtime_s = steady_s() - begin;
  return settle(j, std::move(*parsed), thrown, std::move(value));
}

namespace {

// Sets how the job ended and prepares what follows from it.
void conclude(job& j, message_body& body, const std::exception_ptr& thrown, const json& value) {
  if (!thrown) {
    j.ended = job_outcome::success;
    append_json(j.result_json, value);
    j.result_repr = python_repr(value);
    follow_success(j, body, value);
    write_document(j, job_outcome::success);
    return;
  }
  try {
    std::rethrow_exception(thrown);
  } catch (const retry_requested& asked) {
    settle_retry(j, body, asked);
  } catch (const ignore&) {
    j.ended = job_outcome::ignored;
  } catch (const reject& refused) {
    j.ended = refused.requeue ? job_outcome::requeued : job_outcome::rejected;
    j.problem = describe_exception(thrown, j.m.task);
  } catch (const task_aborted&) {
    j.problem = revoked_failure("terminated");
    j.ended = job_outcome::revoked;
    write_document(j, job_outcome::revoked);
  } catch (...) {
    auto problem = describe_exception(thrown, j.m.task);
    if (is_retried_for(j, problem))
      settle_retry(j, body, retry_requested{{}, thrown});
    else
      settle_failure(j, body, std::move(problem));
  }
}

}  // namespace

bool settle(job& j, message_body body, const std::exception_ptr& thrown, json value) {
  if (j.settled.exchange(true)) return false;
  conclude(j, body, thrown, value);
  add_chord_part(j, body.chord);
  return true;
}

bool settle_failed(job& j, failure_info problem, job_outcome how) {
  if (j.settled.exchange(true)) return false;
  message_body body;
  if (auto parsed = parse_body(j.m)) body = std::move(*parsed);
  j.ended = how;
  j.problem = std::move(problem);
  if (how == job_outcome::failure || how == job_outcome::revoked) follow_failure(j, body);
  write_document(j, how);
  add_chord_part(j, body.chord);
  return true;
}

}  // namespace skirmish::tasks
