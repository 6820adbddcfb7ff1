#include "tasks/worker/worker_cycle.hpp"

#include "redis/views.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace skirmish::tasks {
namespace {

constexpr std::size_t kept_limit_bytes = 64 << 10;  // of a message that is kept for a retry

// What recovery needs to report that a task died with its worker; empty when nobody waits for it.
std::string running_record(const job& j) {
  const bool whole = has_dependants(j.m);
  if (!j.stores_result() && !whole) return {};
  std::string out = "{\"id\":";
  append_json_string(out, j.m.id);
  if (whole) {
    out += ",\"message\":";
    append_json_string(out, j.m.raw);
  }
  return out + "}";
}

std::string list_of(const job& j, const key_names& keys) {
  return keys.queue(j.m.queue, priority_step(j.m.priority));
}

// Arguments of worker_cycle.lua: sections that each begin with their count. Texts must outlive it.
class section_writer {
 public:
  void number(std::uint64_t n) { views_.push_back(numbers_.emplace_back(std::to_string(n))); }
  void text(std::string_view t) { views_.push_back(t); }
  void section(const std::vector<std::string>& items) {
    number(items.size());
    for (const auto& item : items) text(item);
  }
  [[nodiscard]] const std::vector<std::string_view>& views() const noexcept { return views_; }

 private:
  std::deque<std::string> numbers_;
  std::vector<std::string_view> views_;
};

void push_cycle(redis::request& to, const worker_cycle& cycle, const cycle_identity& of,
                bool with_results) {
  section_writer out;
  out.number(of.number);
  out.number(cycle.early.size());
  for (const auto& [j, record] : cycle.early) {
    out.text(j->m.tag);
    out.text(record);
  }
  out.number(cycle.late.size());
  for (const auto& j : cycle.late) out.text(j->m.tag);
  out.section(cycle.ended_starts);
  out.section(cycle.acks);
  out.number(cycle.pushes.size());
  for (const auto& [list, envelope] : cycle.pushes) {
    out.text(list);
    out.text(envelope);
  }
  out.section(cycle.deletes);
  const auto ttl = std::to_string(of.result_ttl_s);
  out.number(with_results ? cycle.results.size() : 0);
  if (with_results) {
    for (const auto& [key, value] : cycle.results) {
      out.text(key);
      out.text(ttl);
      out.text(value);
    }
  }
  out.number(cycle.failed.size());
  for (const auto& [id, message] : cycle.failed) {
    out.text(id);
    out.text(message);
  }
  const auto unacked = of.keys.unacked(), index = of.keys.unacked_index(),
             messages = of.keys.own("history:message");
  const std::vector<std::string_view> keys{unacked, index, of.running_key, of.worker_key, messages};
  redis::push_evalsha(to, scripts::worker_cycle, keys, out.views());
}

}  // namespace

void worker_cycle::add_start(const job_ptr& j) {
  if (j->acks_late) {
    j->start_recorded = true;
    late.push_back(j);
    return;
  }
  auto record = running_record(*j);
  j->start_recorded = !record.empty();
  early.push_back({j, std::move(record)});
}

void worker_cycle::add_ended(job& j, const key_names& keys) {
  if (j.ended == job_outcome::failure && j.is_last_failure())
    pushes.push_back(
        {keys.own("dead"), dead_letter_entry(j, "failed " + std::to_string(j.m.retries + 1) +
                                                    " times: " + j.problem.repr())});
  if (j.ended == job_outcome::requeued && j.acknowledged)
    pushes.push_back({list_of(j, keys), j.m.raw});
  else if (j.ended == job_outcome::requeued)
    put_back.insert(put_back.end(), {j.m.tag, "last", list_of(j, keys), j.m.raw});
  else if (j.ended == job_outcome::rejected && !j.acknowledged)
    put_back.insert(put_back.end(), {j.m.tag, "dead", keys.own("dead"),
                                     dead_letter_entry(j, "rejected: " + j.problem.repr())});
  else if (!j.acknowledged)
    acks.push_back(j.m.tag);
  const bool has_failed = j.ended == job_outcome::failure || j.ended == job_outcome::revoked;
  if (has_failed && j.m.raw.size() <= kept_limit_bytes) failed.emplace_back(j.m.id, j.m.raw);
  if (j.start_recorded) ended_starts.push_back(j.m.tag);
  for (auto& entry : j.follower_chords) results.push_back(std::move(entry));
  for (auto& fields : j.follower_events) sent_events.push_back(std::move(fields));
  for (auto& part : j.chord_parts) chord_parts.push_back(std::move(part));
  for (auto& follower : j.followers) pushes.push_back(std::move(follower));
  if (!j.document.empty()) {
    document_bytes += j.document.size();
    results.emplace_back(keys.result(j.m.id), std::move(j.document));
  }
  for (auto& [other, document] : j.more_results)
    results.emplace_back(keys.result(other), std::move(document));
}

void worker_cycle::add_dead_letter(job& j, const key_names& keys) {
  put_back.insert(put_back.end(),
                  {j.m.tag, "dead", keys.own("dead"), dead_letter_entry(j, j.dead_letter_reason)});
  if (!j.document.empty()) results.emplace_back(keys.result(j.m.id), std::move(j.document));
}

void worker_cycle::add_return(const job& j, const key_names& keys) {
  envelope_edit edit;
  edit.returned = j.m.returned + 1;
  auto again = edit_envelope(j.m.raw, edit);
  put_back.insert(put_back.end(),
                  {j.m.tag, "last", list_of(j, keys), again ? std::move(*again) : j.m.raw});
}

bool worker_cycle::empty() const {
  return starts() == 0 && ended_starts.empty() && acks.empty() && pushes.empty() &&
         deletes.empty() && results.empty() && failed.empty() && events.empty() &&
         chord_parts.empty() && put_back.empty();
}

redis::request cycle_commands(const worker_cycle& cycle, const cycle_identity& of,
                              bool with_results) {
  redis::request out;
  if (with_results)
    push_chord_parts(out, of.keys, std::max<std::int64_t>(1, of.result_ttl_s), cycle.chord_parts);
  push_cycle(out, cycle, of, with_results);
  if (!cycle.put_back.empty()) {
    const auto unacked = of.keys.unacked(), index = of.keys.unacked_index();
    const std::vector<std::string_view> keys{unacked, index};
    const auto args = redis::views(cycle.put_back);
    redis::push_evalsha(out, scripts::put_back, keys, args);
  }
  for (const auto& envelope : cycle.events)
    out.push("PUBLISH", of.keys.event_channel("task.multi"), envelope);
  return out;
}

void push_results(redis::request& to, const worker_cycle& cycle, std::int64_t result_ttl_s) {
  for (const auto& [key, value] : cycle.results) {
    if (result_ttl_s > 0)
      to.push("SETEX", key, result_ttl_s, value);
    else
      to.push("SET", key, value);
    to.push("PUBLISH", key, value);
  }
}

void pending_writes::add_result(std::string key, std::string document) {
  const std::lock_guard lock(mutex_);
  results_.emplace_back(std::move(key), std::move(document));
}

void pending_writes::add_delete(std::string key) { deletes_.push_back(std::move(key)); }

void pending_writes::move_to(worker_cycle& cycle) {
  cycle.deletes = std::exchange(deletes_, {});
  const std::lock_guard lock(mutex_);
  for (auto& result : results_) cycle.results.push_back(std::move(result));
  results_.clear();
}

std::string dead_letter_entry(const job& j, std::string_view reason) {
  json_object entry{{"reason", reason},      {"at", to_iso(wall_now())},
                    {"queue", j.m.queue},    {"priority", j.m.priority},
                    {"id", j.m.id},          {"task", j.m.task},
                    {"node", j.host.node()}, {"message", j.m.raw}};
  std::string out;
  append_json(out, json(std::move(entry)));
  return out;
}

}  // namespace skirmish::tasks
