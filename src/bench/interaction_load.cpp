#include "bench/interaction_load.hpp"

#include "core/ids.hpp"
#include "http/websocket_codec.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
namespace ws = http::ws;

constexpr std::size_t deck_size = 1 << 20;
constexpr auto reconnect_pause = 50ms;
constexpr auto drain_patience = 60s;

// The number behind `name` in a message.
std::optional<std::uint64_t> number_behind(std::string_view message, std::string_view name) {
  const auto at = message.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t out = 0;
  const auto* end = message.data() + message.size();
  if (std::from_chars(message.data() + at + name.size(), end, out).ec != std::errc{})
    return std::nullopt;
  return out;
}

}  // namespace

std::string bench_player(std::size_t number) { return fmt::format("p{:06}", number); }

player_draw::player_draw(std::size_t players, double skew, std::uint64_t seed)
    : random_(seed), deck_(deck_size) {
  std::vector<double> weights(players);
  for (std::size_t i = 0; i < players; ++i)
    weights[i] = 1 / std::pow(static_cast<double>(i) + 1, skew);
  std::discrete_distribution<std::uint32_t> distribution(weights.begin(), weights.end());
  for (auto& card : deck_) card = distribution(random_);
}

struct interaction_load::sender {
  std::string stream = "bench-" + random_hex(6);
  std::unique_ptr<chat_socket> socket;  // null while it is away
  std::uint64_t number = 0;             // of the sender
  std::uint64_t next_seq = 1;
  std::uint64_t acknowledged = 0;  // seq of the last frame
  std::deque<sent_frame> waiting;  // not acknowledged
  std::string out;
  bool lost = false;
  std::int64_t retry_ns = 0;
};

interaction_load::interaction_load(load_plan plan, server_address server, std::string api_key)
    : plan_(plan),
      server_(std::move(server)),
      key_(std::move(api_key)),
      draw_(static_cast<std::size_t>(plan.players), plan.skew, plan.seed),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(plan_.players); ++i)
    names_.push_back(bench_player(i));
  result_.expected.resize(names_.size());
  for (std::int64_t i = 0; i < plan_.connections; ++i) {
    senders_.push_back(std::make_unique<sender>());
    senders_.back()->number = static_cast<std::uint64_t>(i);
    connect(*senders_.back());
  }
}

interaction_load::~interaction_load() { ::close(epoll_); }

// Throws failure{unavailable}.
void interaction_load::connect(sender& s) {
  auto socket = std::make_unique<chat_socket>(server_, key_, "/api/ws?stream=" + s.stream);
  const auto hello = socket->wait_for_text();
  const auto committed = number_behind(hello, R"("committed":)");
  if (!committed) throw failure(errc::unavailable, "the server named no position: " + hello);
  acknowledge(s, *committed);
  s.out.clear();
  for (const auto& f : s.waiting) s.out += f.bytes;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = s.number;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket->descriptor(), &event);
  s.socket = std::move(socket);
  s.lost = false;
}

void interaction_load::reconnect(sender& s) {
  s.socket.reset();
  if (now_ns() < s.retry_ns) return;
  try {
    connect(s);
    ++result_.reconnects;
    flush(s);
  } catch (const failure&) {
    s.retry_ns = now_ns() + std::chrono::nanoseconds(reconnect_pause).count();
  }
}

std::uint32_t interaction_load::draw_target() {
  if (plan_.event_targets > 0 &&
      static_cast<std::int64_t>(draw_.random() % 100) < plan_.event_share)
    return static_cast<std::uint32_t>(draw_.random() %
                                      static_cast<std::uint64_t>(plan_.event_targets));
  return draw_.next();
}

void interaction_load::append_event(const sender& of) {
  const auto kind = static_cast<std::int64_t>(draw_.random() % 100);
  const auto actor = draw_.next();
  auto& expected = result_.expected[actor];
  ++expected.interactions;
  auto out = std::back_inserter(text_);
  if (kind < plan_.moves) {
    const auto at = static_cast<std::int64_t>(draw_.random() % 1'000'000);
    fmt::format_to(
        out, FMT_COMPILE(R"({{"type":"move","player_id":"{}","lat":48.{:06},"lon":2.{:06}}})"),
        names_[actor], at, 999'999 - at);
    return;
  }
  auto other = draw_target();
  if (other == actor) other = actor == 0 ? 1 : actor - 1;
  if (kind < plan_.moves + plan_.trades) {
    fmt::format_to(
        out,
        FMT_COMPILE(R"({{"type":"trade","id":"t{}","from":"{}","to":"{}","give":{{"coin":1}}}})"),
        ++trades_made_, names_[actor], names_[other]);
    return;
  }
  // Records are told apart by their damage.
  const auto damage =
      static_cast<std::int64_t>(draw_.random() % (plan_.keeps_records ? 9'999 : 40)) + 1;
  expected.dealt += damage;
  result_.expected[other].taken += damage;
  if (plan_.keeps_records)
    result_.records.add(actor, other, damage, {static_cast<std::uint32_t>(of.number), of.next_seq},
                        [this](const attack_expectations::place& at) {
                          return senders_[at.sender]->acknowledged >= at.seq;
                        });
  fmt::format_to(
      out, FMT_COMPILE(R"({{"type":"attack","attacker_id":"{}","target_id":"{}","damage":{}}})"),
      names_[actor], names_[other], damage);
}

void interaction_load::generate(sender& s, std::int64_t due_ns) {
  text_.clear();
  fmt::format_to(std::back_inserter(text_), FMT_COMPILE(R"({{"seq":{},"interactions":[)"),
                 s.next_seq);
  for (std::int64_t i = 0; i < plan_.frame; ++i) {
    if (i > 0) text_ += ',';
    append_event(s);
  }
  text_ += "]}";
  auto& f = s.waiting.emplace_back(sent_frame{s.next_seq++, due_ns, {}});
  ws::encode_masked(f.bytes, ws::opcode::text, text_, static_cast<std::uint32_t>(draw_.random()));
  s.out += f.bytes;
}

void interaction_load::flush(sender& s) {
  if (!s.socket || s.lost || s.out.empty()) return;
  try {
    s.socket->send_encoded(s.out);
  } catch (const failure&) {
    s.lost = true;
  }
  s.out.clear();
}

void interaction_load::acknowledge(sender& s, std::uint64_t seq) {
  while (!s.waiting.empty() && s.waiting.front().seq <= seq) {
    times_.add(now_ - s.waiting.front().due_ns);
    s.acknowledged = s.waiting.front().seq;
    s.waiting.pop_front();
    result_.acked += static_cast<std::uint64_t>(plan_.frame);
  }
}

void interaction_load::take(sender& s, std::string_view message) {
  if (const auto seq = number_behind(message, R"({"ack":)")) {
    acknowledge(s, *seq);
    return;
  }
  if (message.find(R"("reject")") != std::string_view::npos)
    throw failure(errc::internal, "an interaction was rejected: " + std::string(message));
  if (message.find(R"("error")") == std::string_view::npos) return;
  if (message.find(R"("temporary":true)") == std::string_view::npos &&
      message.find(R"("conflict")") == std::string_view::npos)
    throw failure(errc::internal, "a frame was refused: " + std::string(message));
  ++result_.refused;
  s.lost = true;  // start again behind what is committed
  s.retry_ns = now_ns() + std::chrono::nanoseconds(reconnect_pause).count();
}

void interaction_load::poll(int timeout_ms) {
  epoll_event events[256];
  const int count = ::epoll_wait(epoll_, events, 256, timeout_ms);
  now_ = now_ns();
  for (int i = 0; i < count; ++i) {
    auto& s = *senders_[events[i].data.u64];
    const auto on_text = [&](std::string_view text) { take(s, text); };
    try {
      if (s.socket && !s.lost && !s.socket->read(on_text)) s.lost = true;
    } catch (const failure& e) {
      if (e.code() == errc::internal) throw;
      s.lost = true;
    }
  }
  for (auto& s : senders_)
    if (s->lost) reconnect(*s);
}

bool interaction_load::all_acknowledged() const {
  for (const auto& s : senders_)
    if (!s->waiting.empty()) return false;
  return true;
}

load_result interaction_load::run(std::chrono::milliseconds duration) {
  const auto start = now_ns();
  result_.started_ns = start;
  const auto stop = start + std::chrono::nanoseconds(duration).count();
  const auto step = plan_.rate > 0 ? 1'000'000'000 * plan_.frame / plan_.rate : 0;
  auto due = start;
  std::size_t turn = 0;
  now_ = start;
  while (now_ < stop) {
    if (step > 0) {
      for (; due <= now_; due += step) generate(*senders_[turn++ % senders_.size()], due);
    } else {
      for (auto& s : senders_)
        while (!s->lost && s->waiting.size() < static_cast<std::size_t>(plan_.window))
          generate(*s, now_);
    }
    for (auto& s : senders_) flush(*s);
    poll(1);
  }
  const auto acked_in_time = result_.acked;
  result_.seconds = static_cast<double>(now_ - start) / 1e9;
  const auto limit = now_ns() + std::chrono::nanoseconds(drain_patience).count();
  while (!all_acknowledged() && now_ns() < limit) poll(10);
  for (const auto& s : senders_)
    result_.unconfirmed += s->waiting.size() * static_cast<std::uint64_t>(plan_.frame);
  result_.confirmed_s = static_cast<double>(now_ns() - start) / 1e9;
  result_.confirmed = result_.acked;
  result_.acked = acked_in_time;
  result_.p50_ms = times_.quantile_ms(0.5);
  result_.p99_ms = times_.quantile_ms(0.99);
  result_.p999_ms = times_.quantile_ms(0.999);
  return std::move(result_);
}

}  // namespace skirmish::cli
