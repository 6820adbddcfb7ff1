// `skirmish bench window`: a day of interactions in a minute or two, through the structures of the
// 24-hour window, and what they take.
//
// A clock that the bench moves makes the day short. Everything else is the product's own: commits
// count by activity/open_slice.lua and credit.lua (which writes what interactions/commit.lua writes
// to the window, and nothing else), and the window is kept by activity::window. First the day is
// fed as fast as it goes (with --bulk its slices are written sealed, as the window would have left
// them). Then time goes on, at a steady rate of interactions: each slice that comes is sealed, and
// makes an old one go, while a server answers GET /api/leaderboards/active.
#include "activity/activity_keys.hpp"
#include "activity/packed_slice.hpp"
#include "activity/window.hpp"
#include "api_client/api_client.hpp"
#include "bench/activity_day.hpp"
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "bench/bench_window_table.hpp"
#include "bench/board_reader.hpp"
#include "bench/redis_probes.hpp"
#include "cli/cli.hpp"
#include "cli/own_server.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "leaderboards/leaderboards.hpp"
#include "leaderboards/leaderboards_keys.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

const redis::script credit_script{
    "activity/credit",
// clang-format off: in this order
#include "redis/attempt.lua.inc"
#include "activity/open_slice.lua.inc"
#include "bench/credit.lua.inc"
    // clang-format on
};

constexpr std::int64_t day_s = 86'400;
constexpr std::size_t top = 100;
bool is_pause(double script_ms) { return script_ms > 5; }

constexpr const char* reading = "/api/leaderboards/active?limit=100";

struct window_options {
  std::int64_t interactions = 20'000'000;
  std::uint32_t players = 100'000;
  double skew = 1.0;
  std::int64_t slice_s = 60;
  std::int64_t rate = 60'000;
  std::int64_t load_s = 25;
  std::int64_t batch_players = 50;
  std::int64_t read_rate = 100;
  std::int64_t time_limit_s = 170;
  bool bulk = false;
  bool uuids = false;
  bool as_json = false;
};

class window_bench {
 public:
  window_bench(asio::io_context& io, const window_options& chosen, server_address server,
               redis::connection_config redis)
      : io_(io),
        chosen_(chosen),
        server_(std::move(server)),
        tasks_(io),
        feeding_(io, redis, "skirmish-bench-feed"),
        sweeping_(io, redis, "skirmish-bench-sweep"),
        window_(io, sweeping_, keys_, clock_,
                {std::chrono::seconds(chosen.slice_s), std::chrono::seconds(day_s),
                 [this](bool is_answered) { time_step(is_answered); }},
                metrics_),
        day_(chosen.players, chosen.skew, chosen.uuids, 1),
        settled_(io) {}

  awaitable<json::object> run() {
    tasks_.spawn("feed", [this] { return feeding_.run(); });
    tasks_.spawn("sweep", [this] { return sweeping_.run(); });
    co_await feeding_.wait_connected(10s);
    co_await sweeping_.wait_connected(10s);
    deadline_ = steady::now() + std::chrono::seconds(chosen_.time_limit_s);
    // Whole slices of the bench's clock begin here.
    clock_.advance(chosen_.slice_s * 1s -
                   clock_.now().time_since_epoch() % std::chrono::seconds(chosen_.slice_s));
    co_await watch_scripts(feeding_, 1ms);
    redis_process_ = co_await process_of(feeding_);
    const auto empty = co_await used_memory(feeding_);
    const auto slices = day_s / chosen_.slice_s;
    const auto begin = steady::now();
    if (chosen_.bulk) {
      co_await fill(slices);
    } else {
      for (std::int64_t i = 0; i < slices; ++i) co_await live_slice();
    }
    const std::chrono::duration<double> day_took = steady::now() - begin;
    const auto fed = interactions_;
    const auto more = load_slices();
    day_.draw_ahead(more, interactions_a_slice());
    board_reader reader(server_, reading, chosen_.read_rate);
    co_await load(more);
    reader.stop();
    json::object out{{"interactions", fed},
                     {"players", chosen_.players},
                     {"slices", slices},
                     {"swept_slices", swept_},
                     {"counts_held", day_.shares()},
                     {"bulk", chosen_.bulk},
                     {"fed_per_s", static_cast<double>(fed) / day_took.count()},
                     {"load_per_s", loaded_per_s_}};
    const auto times = summarise(reader.latencies_ms());
    out["reads"] = reader.latencies_ms().size();
    out["reads_failed"] = reader.failed();
    out["read_p50_ms"] = times.p50_ms;
    out["read_p99_ms"] = times.p99_ms;
    out["read_max_ms"] = times.max_ms;
    // Scripts of the window have a slice, or what is known about slices, as their first key.
    auto own = co_await slow_scripts(feeding_, "activity:");
    auto all = co_await slow_scripts(feeding_, "");
    out["sweep_steps"] = worked_ms_.size();
    const auto worked = summarise(worked_ms_);
    out["sweep_worked_p50_ms"] = worked.p50_ms;
    out["sweep_worked_p99_ms"] = worked.p99_ms;
    out["sweep_worked_max_ms"] = worked.max_ms;
    out["sweep_waited_max_ms"] = summarise(waited_ms_).max_ms;
    out["sweep_pauses_over_5_ms"] = std::count_if(own.begin(), own.end(), is_pause);
    out["sweep_max_ms"] = summarise(own).max_ms;
    out["script_max_ms"] = summarise(all).max_ms;
    out["live_rank_errors"] = live_errors_;
    leaderboards::service boards(feeding_, keys_, clock_);
    co_await boards.catch_up("active");
    out["rank_errors"] = co_await rank_errors();
    out["slices_mb"] = co_await memory_of_keys_mb(feeding_, "activity:*");
    out["board_mb"] = co_await memory_of_keys_mb(feeding_, "leaderboard:active*");
    out["window_mb"] = out["slices_mb"].to_number<double>() + out["board_mb"].to_number<double>();
    const auto full = co_await used_memory(feeding_);
    out["redis_growth_mb"] = static_cast<double>(full - empty) / 1e6;
    feeding_.stop();
    sweeping_.stop();
    tasks_.close();
    co_await tasks_.wait(10s);
    co_return out;
  }

 private:
  static double to_ms(std::chrono::nanoseconds t) {
    return std::chrono::duration<double, std::milli>(t).count();
  }

  // What Redis did from the sending of a sweeping step to its answer: that step, and what others
  // had it do meanwhile.
  void time_step(bool is_answered) {
    const auto now = times_of(redis_process_);
    if (is_answered) {
      worked_ms_.push_back(to_ms(now.worked - step_.worked));
      waited_ms_.push_back(to_ms(now.waited - step_.waited));
    }
    step_ = now;
  }

  [[nodiscard]] std::uint64_t interactions_a_slice() const {
    return static_cast<std::uint64_t>(chosen_.interactions / (day_s / chosen_.slice_s));
  }

  const std::vector<activity_day::share>& draw() {
    if (steady::now() > deadline_)
      throw failure(errc::deadline_exceeded, "this does not fit in --time-limit");
    interactions_ += interactions_a_slice();
    return day_.next(interactions_a_slice());
  }

  // Feeds a slice while the ones before are sealed and swept, and lets it end.
  awaitable<void> live_slice() {
    settling_ = true;
    tasks_.spawn("settle", [this]() -> awaitable<void> {
      try {
        bool more = true;
        while (more) more = co_await window_.step();
      } catch (...) {
        settle_problem_ = std::current_exception();
      }
      settling_ = false;
      settled_.set();
    });
    co_await credit(draw());
    while (settling_) co_await settled_.wait();
    if (settle_problem_) std::rethrow_exception(settle_problem_);
    clock_.advance(chosen_.slice_s * 1s);
  }

  [[nodiscard]] std::chrono::microseconds load_interval() const {
    return std::chrono::microseconds(static_cast<std::int64_t>(interactions_a_slice()) * 1'000'000 /
                                     chosen_.rate);
  }
  [[nodiscard]] std::int64_t load_slices() const {
    return std::max<std::int64_t>(1, chosen_.load_s * 1s / load_interval());
  }

  // Time goes on: every slice makes the oldest one go.
  awaitable<void> load(std::int64_t count) {
    const auto each = load_interval();
    const auto begin = steady::now();
    asio::steady_timer due(io_);
    for (; swept_ < count; ++swept_) {
      due.expires_at(begin + swept_ * each);
      co_await due.async_wait(use_awaitable);
      co_await live_slice();
      bool more = true;
      while (more) more = co_await window_.step();
      day_.retire_oldest();
      // Not every time: the comparison costs this machine more than what it compares.
      if (swept_ % 8 == 0) live_errors_ += co_await rank_errors();
    }
    const std::chrono::duration<double> took = steady::now() - begin;
    const auto all = static_cast<double>(interactions_a_slice()) * static_cast<double>(count);
    loaded_per_s_ = all / took.count();
  }

  // The day as the window would have left it: sealed slices, and the board.
  awaitable<void> fill(std::int64_t slices) {
    for (std::int64_t i = 0; i < slices; ++i) {
      std::vector<activity::player_count> counts;
      for (const auto& s : draw()) counts.push_back({day_.id(s.player), s.count});
      activity::slice_packer packer;
      packer.add(std::move(counts));
      const auto start =
          std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
      const auto name = std::to_string(start);
      redis::request write;
      write.push("SET", activity::slice_key(keys_, name), packer.text());
      write.push("ZADD", activity::sealed_key(keys_), start + chosen_.slice_s, name);
      write.push("SET", activity::closed_key(keys_), start + chosen_.slice_s);
      redis::checked(co_await feeding_.exec(std::move(write), patient));
      clock_.advance(chosen_.slice_s * 1s);
    }
    std::vector<leaderboards::score> scores;
    leaderboards::service boards(feeding_, keys_, clock_);
    for (std::uint32_t i = 0; i < chosen_.players; ++i) {
      const auto total = static_cast<double>(day_.totals()[i]);
      if (total > 0) scores.push_back({day_.id(i), total, 0, leaderboards::operation::set, {}});
      if (scores.size() < leaderboards::submission_max && i + 1 < chosen_.players) continue;
      co_await boards.submit(std::string(activity::board), std::move(scores));
      scores = {};
    }
  }

  awaitable<void> credit(const std::vector<activity_day::share>& slice) {
    const auto start = std::to_string(
        std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count());
    const auto length = std::to_string(chosen_.slice_s);
    const auto key = leaderboards::board_key(keys_, activity::board);
    const std::string_view keys[] = {key};
    const auto step = static_cast<std::size_t>(chosen_.batch_players);
    for (std::size_t first = 0; first < slice.size(); first += step) {
      std::vector<std::string> counts;
      for (std::size_t i = first; i < std::min(first + step, slice.size()); ++i)
        counts.push_back(std::to_string(slice[i].count));
      std::vector<std::string_view> args{keys_.prefix(), start, length};
      for (std::size_t i = 0; i < counts.size(); ++i) {
        args.emplace_back(day_.id(slice[first + i].player));
        args.emplace_back(counts[i]);
      }
      redis::checked(co_await feeding_.eval(credit_script, keys, args, patient));
    }
  }

  awaitable<std::int64_t> rank_errors() {
    http_client client(io_, server_, "");
    const auto answer = co_await client.get_now(reading);
    std::vector<std::pair<std::string, std::int64_t>> shown;
    for (const auto& item : answer.body.at("items").as_array())
      shown.emplace_back(item.at("player_id").as_string(), item.at("score").as_int64());
    co_return day_.wrong_places(shown, top);
  }

  static constexpr redis::exec_options patient{30s};
  asio::io_context& io_;
  const window_options& chosen_;
  server_address server_;
  task_group tasks_;
  redis::key_space keys_;
  manual_clock clock_;
  metrics::registry metrics_;
  redis::client feeding_;
  redis::client sweeping_;
  activity::window window_;
  activity_day day_;
  event settled_;
  steady::time_point deadline_;
  pid_t redis_process_ = 0;
  process_times step_;  // when the step under way was sent
  std::vector<double> worked_ms_;
  std::vector<double> waited_ms_;
  bool settling_ = false;
  std::exception_ptr settle_problem_;
  std::uint64_t interactions_ = 0;
  std::int64_t swept_ = 0;
  std::int64_t live_errors_ = 0;
  double loaded_per_s_ = 0;
};

bool run_window(const window_options& chosen) {
  const scratch_directory dir;
  config settings;
  settings.server.data_dir = dir.path().string();
  settings.server.threads = 1;
  settings.activity.sweeper = 0;  // by the bench's clock, not by the real one
  json::object result;
  const auto work = [&](const std::string& url, const std::string&) {
    redis::connection_config redis;
    redis.unix_socket = (dir.path() / "redis.sock").string();
    const auto server = parse_server_url(url).value();
    result = skirmish::run([&](asio::io_context& io) -> awaitable<json::object> {
      window_bench bench(io, chosen, server, redis);
      auto out = co_await bench.run();
      co_return out;
    });
  };
  with_own_server(settings, work);
  if (chosen.as_json)
    fmt::print("{}\n", json_text_of(result));
  else
    print_window_table(result);
  return reached_window_targets(result);
}

}  // namespace

void add_bench_window(CLI::App& bench, int& code) {
  auto* command = bench.add_subcommand(
      "window", "A day of interactions through the 24-hour window: memory, exactness, pauses");
  command->footer(
      "Starts a server and a Redis of its own in a temporary directory and feeds a compressed "
      "day, then a steady load.\n"
      "Examples:\n"
      "  skirmish bench window                                20 million interactions, 100,000 "
      "players\n"
      "  skirmish bench window --uuids --json                 the same with UUIDs as ids, one JSON "
      "object\n"
      "  skirmish bench window --bulk                         the day is written sealed, in "
      "seconds");
  auto chosen = std::make_shared<window_options>();
  command->add_option("--interactions", chosen->interactions, "of the day")
      ->capture_default_str()
      ->check(CLI::Range(100'000, 1'000'000'000));
  command->add_option("--players", chosen->players)
      ->capture_default_str()
      ->check(CLI::Range(100, 1'000'000));
  command->add_option("--skew", chosen->skew, "exponent of the Zipf distribution; 0: all alike")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3.0));
  command->add_option("--slice", chosen->slice_s, "seconds of a slice")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600));
  command->add_flag("--bulk", chosen->bulk, "write the day's slices sealed instead of feeding it");
  command->add_option("--rate", chosen->rate, "interactions per second after the day")
      ->capture_default_str()
      ->check(CLI::Range(1'000, 10'000'000));
  command->add_option("--load", chosen->load_s, "seconds of that")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600));
  command->add_option("--batch", chosen->batch_players, "players in a commit")
      ->capture_default_str()
      ->check(CLI::Range(1, 2'000));
  command->add_option("--read-rate", chosen->read_rate, "reads of the top 100 per second")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  command->add_option("--time-limit", chosen->time_limit_s, "seconds; then it gives up")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600));
  command->add_flag("--uuids", chosen->uuids, "ids are UUIDs, which take more room");
  command->add_flag("--json", chosen->as_json, "one JSON object");
  command->callback([chosen, &code] {
    if (day_s % chosen->slice_s != 0) throw usage_error{"--slice must divide the day's 86400 s"};
    if (!run_window(*chosen)) fmt::print(stderr, "a target was missed\n");
    code = done;
  });
}

}  // namespace skirmish::cli
