#include "tasks/protocol/event.hpp"

#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/python_repr.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <ctime>

namespace skirmish::tasks {
namespace {

// A million events take about a gigabyte, so they are bounded while Redis is away.
constexpr std::size_t gathered_limit_events = 50'000;

void append_text(std::string& out, std::string_view name, std::string_view value) {
  out.append(", \"").append(name).append("\": ");
  append_json_string(out, value);
}

void append_time(std::string& out, std::string_view name, const std::optional<wall_time>& at) {
  if (at)
    append_text(out, name, to_iso(*at));
  else
    out.append(", \"").append(name).append("\": null");
}

void append_destination(std::string& out, std::string_view queue) {
  append_text(out, "queue", queue);
  append_text(out, "exchange", "");
  append_text(out, "routing_key", queue);
}

}  // namespace

int utc_offset_hours(wall_time at) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  std::tm local{};
  localtime_r(&seconds, &local);
  const long west_s = -local.tm_gmtoff;
  // Python's floor division.
  return static_cast<int>(west_s >= 0 ? west_s / 3600 : -((-west_s + 3599) / 3600));
}

std::string sent_fields(const outgoing& m) {
  std::string out;
  append_text(out, "uuid", m.id);
  append_text(out, "name", m.shadow.empty() ? m.task : m.shadow);
  append_text(out, "args", python_repr_tuple(m.args));
  append_text(out, "kwargs", m.kwargs.empty() ? "{}" : python_repr(json(m.kwargs)));
  append_text(out, "root_id", m.root_id.empty() ? m.id : m.root_id);
  if (m.parent_id.empty())
    out += ", \"parent_id\": null";
  else
    append_text(out, "parent_id", m.parent_id);
  fmt::format_to(std::back_inserter(out), ", \"retries\": {}", m.retries);
  append_time(out, "eta", m.eta);
  append_time(out, "expires", m.expires);
  append_destination(out, m.queue);
  return out;
}

std::string sent_again_fields(const message& m, int retries, wall_time eta) {
  std::string out;
  append_text(out, "uuid", m.id);
  append_text(out, "name", m.display_name());
  out.append(", \"args\": ").append(m.args_repr).append(", \"kwargs\": ").append(m.kwargs_repr);
  append_text(out, "root_id", m.root());
  append_text(out, "parent_id", m.id);
  fmt::format_to(std::back_inserter(out), ", \"retries\": {}", retries);
  append_time(out, "eta", eta);
  out.append(", \"expires\": ").append(m.expires_token);
  append_destination(out, m.queue);
  return out;
}

event_writer::event_writer(std::string node) : node_(std::move(node)) {
  common_ = ", \"hostname\": ";
  append_json_string(common_, node_);
  common_ += fmt::format(", \"pid\": {}", ::getpid());
  headers_json_ = "{\"hostname\": ";
  append_json_string(headers_json_, node_);
  headers_json_ += '}';
}

void event_writer::append_common(std::string& out, std::string_view type) {
  const auto now = wall_now();
  const auto seconds = now.time_since_epoch().count() / 1'000'000;
  if (seconds >= offset_valid_until_s_) {
    offset_hours_ = utc_offset_hours(now);
    offset_valid_until_s_ = seconds + 60;
  }
  out.append("{\"type\": \"").append(type).append("\"").append(common_);
  fmt::format_to(std::back_inserter(out),
                 ", \"utcoffset\": {}, \"clock\": {}, \"timestamp\": {}.{:06}", offset_hours_,
                 tick(), seconds, now.time_since_epoch().count() % 1'000'000);
}

bool event_writer::begin(std::string_view type) {
  if (!enabled_) return false;
  if (count_ >= gathered_limit_events) {
    ++dropped_;
    return false;
  }
  if (count_ > 0 && count_ % events_per_message == 0) full_.push_back(std::exchange(current_, {}));
  current_ += current_.empty() ? '[' : ',';
  append_common(current_, type);
  return true;
}

bool event_writer::begin(std::string_view type, std::string_view id) {
  if (!begin(type)) return false;
  current_ += ", \"uuid\": ";
  append_json_string(current_, id);
  return true;
}

void event_writer::end() {
  current_ += '}';
  ++count_;
}

void event_writer::sent(const outgoing& m) {
  if (enabled_) sent(sent_fields(m));
}

void event_writer::sent(std::string_view fields) {
  if (!begin("task-sent")) return;
  current_ += fields;
  end();
}

void event_writer::received(const message& m) {
  if (!begin("task-received", m.id)) return;
  current_ += ", \"name\": ";
  append_json_string(current_, m.display_name());
  current_.append(", \"args\": ")
      .append(m.args_repr)
      .append(", \"kwargs\": ")
      .append(m.kwargs_repr);
  current_ += ", \"root_id\": ";
  append_json_string(current_, m.root());
  current_ += ", \"parent_id\": ";
  if (m.parent_id.empty())
    current_ += "null";
  else
    append_json_string(current_, m.parent_id);
  fmt::format_to(std::back_inserter(current_), ", \"retries\": {}, \"eta\": {}, \"expires\": {}",
                 m.retries, m.eta_token, m.expires_token);
  end();
}

void event_writer::started(const message& m) {
  if (begin("task-started", m.id)) end();
}

void event_writer::succeeded(const message& m, std::string_view result_repr, double runtime_s) {
  if (!begin("task-succeeded", m.id)) return;
  current_ += ", \"result\": ";
  append_json_string(current_, result_repr);
  fmt::format_to(std::back_inserter(current_), ", \"runtime\": {:.9f}", runtime_s);
  end();
}

void event_writer::failed(std::string_view id, std::string_view exception_repr,
                          std::string_view traceback) {
  if (!begin("task-failed", id)) return;
  current_ += ", \"exception\": ";
  append_json_string(current_, exception_repr);
  if (!traceback.empty()) {
    current_ += ", \"traceback\": ";
    append_json_string(current_, traceback);
  }
  end();
}

void event_writer::retried(std::string_view id, std::string_view exception_repr,
                           std::string_view traceback) {
  if (!begin("task-retried", id)) return;
  current_ += ", \"exception\": ";
  append_json_string(current_, exception_repr);
  current_ += ", \"traceback\": ";
  append_json_string(current_, traceback);
  end();
}

void event_writer::revoked(std::string_view id, bool terminated, int signum, bool expired) {
  if (!begin("task-revoked", id)) return;
  fmt::format_to(std::back_inserter(current_),
                 ", \"terminated\": {}, \"signum\": {}, \"expired\": {}", terminated,
                 signum == 0 ? "null" : std::to_string(signum), expired);
  end();
}

void event_writer::rejected(std::string_view id, bool requeue) {
  if (!begin("task-rejected", id)) return;
  fmt::format_to(std::back_inserter(current_), ", \"requeue\": {}", requeue);
  end();
}

std::string event_writer::single(std::string_view type, std::string_view fields) {
  std::string body;
  append_common(body, type);
  body.append(fields).append("}");
  std::string routing_key(type);
  std::replace(routing_key.begin(), routing_key.end(), '-', '.');
  std::string out;
  append_plain_envelope(out, {headers_json_, "celeryev", routing_key, 1}, body);
  return out;
}

std::vector<std::string> event_writer::take_envelopes() {
  std::vector<std::string> out;
  if (count_ == 0) return out;
  full_.push_back(std::exchange(current_, {}));
  for (auto& body : full_) {
    body += ']';
    std::string envelope;
    envelope.reserve(body.size() * 4 / 3 + 400);
    append_plain_envelope(envelope, {headers_json_, "celeryev", "task.multi", 1}, body);
    out.push_back(std::move(envelope));
  }
  full_.clear();
  count_ = 0;
  return out;
}

}  // namespace skirmish::tasks
