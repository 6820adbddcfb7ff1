// `skirmish bench chat`: one channel fanned out to many WebSockets.
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "bench/chat_receivers.hpp"
#include "cli/cli.hpp"
#include "cli/own_server.hpp"
#include "core/descriptors.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

struct chat_plan {
  std::int64_t subscribers = 1'000;
  std::int64_t size_bytes = 256;
  std::int64_t window = 64;                   // messages on their way in the closed loop
  std::int64_t rate = 350;                    // messages per second in the open loop
  std::chrono::milliseconds seconds{10'000};  // of each part
  std::chrono::milliseconds cut{10'000};
};

struct part {
  std::uint64_t messages = 0;
  std::uint64_t deliveries = 0;
  double seconds = 0;
  double p50_ms = 0;
  double p99_ms = 0;

  [[nodiscard]] double per_s() const { return static_cast<double>(deliveries) / seconds; }
  [[nodiscard]] json::object to_json() const {
    return {{"messages", messages},        {"deliveries", deliveries}, {"seconds", seconds},
            {"deliveries_per_s", per_s()}, {"p50_ms", p50_ms},         {"p99_ms", p99_ms}};
  }
};

struct cut_result {
  double seconds = 0;
  std::uint64_t missed = 0;     // messages said meanwhile
  std::uint64_t recovered = 0;  // of them, received on resuming
  std::uint64_t gaps = 0;
  std::uint64_t duplicates = 0;
};

class chat_bench {
 public:
  chat_bench(chat_plan plan, server_address server, std::string api_key)
      : plan_(plan),
        server_(std::move(server)),
        key_(std::move(api_key)),
        channel_("team:bench-" + random_hex(4)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~chat_bench() { ::close(epoll_); }
  chat_bench(const chat_bench&) = delete;
  chat_bench& operator=(const chat_bench&) = delete;

  void connect() {
    publisher_ = std::make_unique<chat_socket>(server_, key_);
    watch(*publisher_, 0);
    for (std::int64_t i = 0; i < plan_.subscribers; ++i) {
      sockets_.push_back(std::make_unique<chat_socket>(server_, key_));
      sockets_.back()->subscribe(channel_, "");
      watch(*sockets_.back(), static_cast<std::uint64_t>(i) + 1);
    }
  }

  // As many messages as keep `window` on their way.
  part closed_loop() {
    return measure([this] { return in_flight() < plan_.window ? 0 : -1; });
  }

  // Messages at their times, whatever happens to those before; times count from when each was due.
  part open_loop() {
    const auto step = 1'000'000'000 / plan_.rate;
    auto due = now_ns();
    return measure([due, step]() mutable -> std::int64_t {
      if (now_ns() < due) return -1;
      due += step;
      return due - step;
    });
  }

  // Cuts one subscriber off while messages go on, and lets it resume.
  cut_result cut() {
    cut_result out;
    auto& victim = sockets_.front();
    const auto since = victim->last_id;
    const auto expected = victim->next_seq;
    victim.reset();
    alive_ = plan_.subscribers - 1;
    const auto keep = std::exchange(plan_.seconds, plan_.cut);
    const auto meanwhile = open_loop();
    plan_.seconds = keep;
    out.seconds = meanwhile.seconds;
    out.missed = next_seq_ - expected;
    victim = std::make_unique<chat_socket>(server_, key_);
    victim->next_seq = expected;
    victim->last_id = since;
    gaps_ = duplicates_ = 0;
    const auto answer = json::parse(victim->subscribe(channel_, since));
    const auto& subscribed = answer.at("subscribed").as_object();
    if (!subscribed.at("recovered").as_bool()) ++gaps_;
    for (const auto& m : subscribed.at("messages").as_array()) take(*victim, json_text_of(m));
    // The rest of what was missed follows as messages.
    watch(*victim, 1);
    alive_ = plan_.subscribers;
    const auto limit = steady::now() + 10s;
    while (victim->next_seq < next_seq_ && steady::now() < limit) poll(10);
    out.recovered = victim->next_seq - expected;
    out.gaps = gaps_;
    out.duplicates = duplicates_;
    return out;
  }

  [[nodiscard]] std::uint64_t lost() const {
    std::uint64_t out = gaps_;
    for (const auto& s : sockets_) out += next_seq_ - s->next_seq;
    return out;
  }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }

 private:
  void watch(chat_socket& s, std::uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, s.descriptor(), &event);
  }

  [[nodiscard]] std::int64_t in_flight() const {
    return static_cast<std::int64_t>(next_seq_ - start_seq_) -
           static_cast<std::int64_t>(deliveries_) / alive_;
  }

  void take(chat_socket& s, std::string_view message) {
    const auto n = read_numbered(message);
    if (!n) return;
    if (n->seq < s.next_seq) {
      ++duplicates_;
      return;
    }
    gaps_ += n->seq - s.next_seq;
    s.next_seq = n->seq + 1;
    ++deliveries_;
    times_.add(now_ - n->sent_ns);
    if (&s == sockets_.front().get()) {
      constexpr std::string_view start = R"("id":")";
      const auto at = message.find(start) + start.size();
      s.last_id = message.substr(at, message.find('"', at) - at);
    }
  }

  void poll(int timeout_ms) {
    epoll_event events[512];
    const int count = ::epoll_wait(epoll_, events, 512, timeout_ms);
    for (int i = 0; i < count; ++i) {
      const auto tag = events[i].data.u64;
      auto& s = tag == 0 ? publisher_ : sockets_[tag - 1];
      now_ = now_ns();
      const auto on_text = [&](std::string_view text) {
        if (tag != 0)
          take(*s, text);
        else if (text.find(R"("error")") != std::string_view::npos)
          throw failure(errc::unavailable, "the server refused a message: " + std::string(text));
      };
      if (s && !s->read(on_text))
        throw failure(errc::unavailable, "the server closed a subscriber");
    }
  }

  void say(std::int64_t due) {
    const numbered n{next_seq_++, due != 0 ? due : now_ns()};
    publisher_->send(fmt::format(R"({{"chat":{{"channel":"{}","from":"bench","text":"{}"}}}})",
                                 channel_,
                                 numbered_text(n, static_cast<std::size_t>(plan_.size_bytes))));
  }

  // `next` says when the message that may be sent now was due (0: now), or -1: none.
  template <class Next>
  part measure(Next next) {
    times_.clear();
    deliveries_ = 0;
    start_seq_ = next_seq_;
    const auto start = steady::now();
    const auto stop = start + plan_.seconds;
    while (steady::now() < stop) {
      std::int64_t due = 0;
      while ((due = next()) >= 0) say(due);
      poll(1);
    }
    const auto limit = steady::now() + 10s;
    while (in_flight() > 0 && steady::now() < limit) poll(10);
    part out;
    out.messages = next_seq_ - start_seq_;
    out.deliveries = deliveries_;
    out.seconds = std::chrono::duration<double>(steady::now() - start).count();
    out.p50_ms = times_.quantile_ms(0.5);
    out.p99_ms = times_.quantile_ms(0.99);
    return out;
  }

  chat_plan plan_;
  server_address server_;
  std::string key_;
  std::string channel_;
  int epoll_;
  std::unique_ptr<chat_socket> publisher_;
  std::vector<std::unique_ptr<chat_socket>> sockets_;
  latencies times_;
  std::uint64_t next_seq_ = 0;
  std::uint64_t start_seq_ = 0;
  std::uint64_t deliveries_ = 0;
  std::int64_t alive_ = plan_.subscribers;
  std::uint64_t gaps_ = 0;
  std::uint64_t duplicates_ = 0;
  std::int64_t now_ = 0;
};

void print_part(const char* name, const part& p) {
  fmt::print("{:<12}{:>10}{:>14}{:>16.0f}{:>10.1f}{:>10.1f}\n", name, p.messages, p.deliveries,
             p.per_s(), p.p50_ms, p.p99_ms);
}

bool run_chat_bench(const chat_plan& plan, const std::string& url, const std::string& key,
                    bool as_json) {
  const auto server = parse_server_url(url);
  if (!server) throw usage_error{server.error().message};
  raise_descriptor_limit();
  chat_bench bench(plan, *server, key);
  bench.connect();
  const auto closed = bench.closed_loop();
  const auto open = bench.open_loop();
  const auto lost = bench.lost();
  const auto duplicated = bench.duplicates();
  cut_result cut;
  if (plan.cut.count() > 0) cut = bench.cut();
  const bool good =
      lost + duplicated + cut.gaps + cut.duplicates == 0 && cut.recovered == cut.missed;
  if (as_json) {
    json::object resumed{{"seconds", cut.seconds},
                         {"missed", cut.missed},
                         {"recovered", cut.recovered},
                         {"gaps", cut.gaps},
                         {"duplicates", cut.duplicates}};
    json::object out{{"subscribers", plan.subscribers},
                     {"size_bytes", plan.size_bytes},
                     {"deliveries_per_s", closed.per_s()},
                     {"p99_ms", open.p99_ms},
                     {"lost", lost},
                     {"duplicated", duplicated},
                     {"closed_loop", closed.to_json()},
                     {"open_loop", open.to_json()},
                     {"cut", std::move(resumed)}};
    fmt::print("{}\n", json_text_of(out));
    return good;
  }
  fmt::print("{} subscribers of one channel, messages of {} bytes\n", plan.subscribers,
             plan.size_bytes);
  fmt::print("{:<12}{:>10}{:>14}{:>16}{:>10}{:>10}\n", "", "messages", "deliveries", "deliveries/s",
             "p50 ms", "p99 ms");
  print_part("closed loop", closed);
  print_part("open loop", open);
  fmt::print("lost {}, duplicated {}\n", lost, duplicated);
  if (plan.cut.count() > 0)
    fmt::print(
        "a subscriber cut for {:.1f} s missed {} messages and got {} of them on resuming: {} gaps, "
        "{} duplicates\n",
        cut.seconds, cut.missed, cut.recovered, cut.gaps, cut.duplicates);
  return good;
}

}  // namespace

void add_bench_chat(CLI::App& bench, int& code) {
  struct bench_flags {
    config_flags settings;
    server_flags server;
    chat_plan plan;
    std::string duration = "10s";
    std::string cut = "10s";
    bool as_json = false;
  };
  auto* command = bench.add_subcommand("chat", "Fan one chat channel out to many WebSockets");
  auto f = std::make_shared<bench_flags>();
  f->settings.add_to(*command);
  f->server.add_to(*command);
  command->add_option("--subscribers", f->plan.subscribers)
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--size", f->plan.size_bytes, "bytes of a message")
      ->check(CLI::Range(64, 2'000))
      ->capture_default_str();
  command->add_option("--window", f->plan.window, "messages on their way, closed loop")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--rate", f->plan.rate, "messages per second, open loop")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--duration", f->duration, "of each part")->capture_default_str();
  command->add_option("--cut", f->cut, "how long a subscriber is cut off; 0 leaves that out")
      ->capture_default_str();
  command->add_flag("--json", f->as_json, "print one JSON object");
  command->callback([f, &code] {
    const auto duration = parse_duration(f->duration);
    const auto cut = parse_duration(f->cut);
    if (!duration || duration->count() == 0 || !cut)
      throw usage_error{"durations are written like 10s"};
    f->plan.seconds = *duration;
    f->plan.cut = *cut;
    bool good = false;
    with_server(f->settings.load(), f->server.url, f->server.api_key,
                [&](const std::string& url, const std::string& key) {
                  good = run_chat_bench(f->plan, url, key, f->as_json);
                });
    code = good ? done : failed;
  });
}

}  // namespace skirmish::cli
