#include "simulation/simulation.hpp"

#include "core/ids.hpp"
#include "core/task_group.hpp"
#include "simulation/simulation_totals.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <set>
#include <unordered_map>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::array names{"Ada",   "Bjarne", "Chen",  "Dalia", "Emeka", "Farah", "Goran",
                           "Hana",  "Iker",   "Jun",   "Kaya",  "Lucía", "Maël",  "Noor",
                           "Oyuki", "Pavel",  "Quinn", "Rosa",  "Søren", "Tariq"};
constexpr std::array places{"Old Quarry",   "Glass Harbour", "Red Mesa",    "Hollow Keep",
                            "Night Market", "Salt Flats",    "Sunken Hall", "Pine Gate",
                            "Iron Bridge",  "Ash Garden"};
constexpr std::array phrases{"gg",          "anyone for Red Mesa?", "nice shot!", "brb",
                             "trade gold?", "one more round",       "позже 👋",   "次のレベルへ"};
constexpr std::array goods{"gold", "potion", "arrow", "gem"};
constexpr std::array feats{"sharpshooter", "pacifist-for-a-minute", "collector", "night-owl"};
constexpr std::size_t recent_limit = 10;

class simulation {
 public:
  simulation(asio::io_context& io, simulation_plan plan, server_address server, std::string api_key,
             const simulation_view& view, const std::atomic<bool>& stop)
      : io_(io),
        plan_(plan),
        http_(io, server, api_key),
        reader_(io, server, api_key),
        socket_(io, server, api_key),
        view_(view),
        stop_(stop),
        random_(plan.seed != 0 ? plan.seed : std::random_device{}()),
        run_(random_hex(3)) {}

  awaitable<std::vector<total>> run() {
    task_group group(io_);
    std::vector<total> totals;
    std::exception_ptr problem;
    try {
      co_await set_up();
      co_await listen();
      co_await show_cache();
      group.spawn("simulation_listener", [this] { return hear(); });
      co_await play();
      co_await hear_the_rest();
      totals = co_await read_back();
    } catch (...) {
      problem = std::current_exception();
    }
    socket_.close();
    group.close();
    co_await group.wait(5s);
    if (problem) std::rethrow_exception(problem);
    co_return totals;
  }

 private:
  std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  const std::string& a_player() { return players_[below(players_.size())]; }
  std::string another(const std::string& than) {
    const auto* other = &a_player();
    while (*other == than && players_.size() > 1) other = &a_player();
    return *other;
  }

  awaitable<void> rest_until(steady::time_point t) {
    asio::steady_timer timer(io_, t);
    error_code ignored;
    co_await timer.async_wait(asio::redirect_error(use_awaitable, ignored));
  }

  awaitable<json::object> ask(std::string method, std::string target, json::value body,
                              std::vector<int> fine) {
    auto answer = co_await http_.send(method, target, std::move(body));
    if (std::find(fine.begin(), fine.end(), answer.status) == fine.end())
      throw failure(errc::invalid_argument,
                    fmt::format("{} {}: {} {}", method, target, answer.status, answer.text));
    co_return answer.body.is_object() ? std::move(answer.body.as_object()) : json::object{};
  }

  // Each run makes a world of its own beside what the server holds, so that its totals can be read
  // back.
  awaitable<void> set_up() {
    const std::vector<int> created{201};
    for (std::int64_t i = 0; i < plan_.players; ++i) {
      const auto at = static_cast<std::size_t>(i);
      players_.push_back(fmt::format("sim-{}-p{:02}", run_, i + 1));
      auto name = std::string(names[at % names.size()]);
      if (at >= names.size()) name += fmt::format(" {}", at / names.size() + 1);
      names_.insert_or_assign(players_.back(), name);
      json::object body{{"player_id", players_.back()},
                        {"name", std::move(name)},
                        {"email", fmt::format("player{}@example.com", i + 1)}};
      co_await ask("POST", "/api/players", std::move(body), created);
    }
    for (std::int64_t i = 0; i < plan_.levels; ++i) {
      const auto at = static_cast<std::size_t>(i);
      levels_.push_back(fmt::format("sim-{}-l{:02}", run_, i + 1));
      auto name = fmt::format("{} {}", places[at % places.size()], i + 1);
      names_.insert_or_assign(levels_.back(), name);
      json::object body{{"level_id", levels_.back()}, {"name", std::move(name)}};
      if (i % 3 != 0) body["difficulty"] = i % 3 == 1 ? "Easy" : "Hard";
      co_await ask("POST", "/api/levels", std::move(body), created);
    }
    json::array gifts;
    for (const auto& p : players_)
      for (const auto* item : goods)
        gifts.push_back(
            json::object{{"type", "item"}, {"player_id", p}, {"item", item}, {"quantity", 10}});
    given_ = static_cast<std::int64_t>(gifts.size()) * 10;
    const std::vector<int> ok{200};
    co_await ask("POST", "/api/interactions", std::move(gifts), ok);
    say("", fmt::format("{} players, {} levels; run {}", plan_.players, plan_.levels, run_));
  }

  // What the cache is worth: what was changed is loaded from SQL once, then it is in the cache.
  awaitable<void> show_cache() {
    const auto player = "/api/players/" + players_.front();
    const std::vector<int> ok{200};
    names_.insert_or_assign(players_.front(), "Ada Lovelace");
    json::object new_name{{"name", "Ada Lovelace"}};
    co_await ask("PATCH", player, std::move(new_name), ok);
    co_await compare("profile", player);
    const auto level = "/api/levels/" + levels_.front();
    json::object new_description{{"description", "where it all begins"}};
    co_await ask("PATCH", level, std::move(new_description), ok);
    co_await compare("level", level);
  }

  awaitable<void> compare(std::string what, std::string target) {
    std::string times;
    for (const auto* which : {"from SQL", "from the cache"}) {
      const auto start = steady::now();
      co_await get_object(reader_, target);
      const std::chrono::duration<double, std::milli> took = steady::now() - start;
      times += fmt::format("{}{}: {:.1f} ms", times.empty() ? "" : ", ", which, took.count());
    }
    say("", fmt::format("a {} {}", what, times));
  }

  // Names of players and levels; of what is not known, the id.
  [[nodiscard]] std::string name_of(const std::string& id) const {
    const auto found = names_.find(id);
    return found == names_.end() ? id : found->second;
  }

  // Learns the names of what other runs have left on the server.
  awaitable<void> learn(std::string id) {
    constexpr std::size_t names_limit = 10'000;
    if (names_.contains(id) || names_.size() >= names_limit) co_return;
    const auto found = co_await reader_.send("GET", "/api/players/" + id, nullptr);
    auto name = id;
    if (found.status == 200) name = std::string(found.body.at("name").as_string());
    names_.emplace(std::move(id), std::move(name));
  }

  // A message for people: names instead of ids.
  [[nodiscard]] std::string words_of(const json::object& message) const {
    const auto text_of = [&](const char* name) {
      const auto* v = message.if_contains(name);
      return v && v->is_string() ? std::string(v->get_string()) : std::string();
    };
    const auto player = name_of(text_of("player_id"));
    if (const auto what = text_of("achievement"); !what.empty())
      return fmt::format("{} unlocked {}", player, what);
    if (const auto level = text_of("level_id"); !level.empty())
      return fmt::format("{} completed {}", player, name_of(level));
    return fmt::format("{}: {}", name_of(text_of("from")), text_of("text"));
  }

  awaitable<void> listen() {
    co_await socket_.connect("/api/ws");
    for (const auto* channel : {"general", "achievement", "cache", "activity"})
      socket_.send(fmt::format(R"({{"cid":"{0}","subscribe":{{"channel":"{0}"}}}})", channel));
    co_await socket_.flush();
    for (int confirmed = 0; confirmed < 4;) {
      const auto message = co_await socket_.receive();
      if (!message) throw failure(errc::unavailable, "the server closed the WebSocket");
      confirmed += message->find(R"("subscribed")") != std::string_view::npos ? 1 : 0;
    }
  }

  awaitable<void> hear() {
    while (const auto message = co_await socket_.receive())
      understand(json::parse(*message).as_object());
  }

  void understand(const json::object& o) {
    const auto text_of = [](const json::object& from, const char* name) {
      const auto* v = from.if_contains(name);
      return v && v->is_string() ? std::string(v->get_string()) : std::string();
    };
    if (const auto* m = o.if_contains("message")) {
      const auto& body = m->as_object();
      const auto id = text_of(body, "id");
      // A message may be heard before its sender has been answered.
      if (mine_.erase(id) == 0 && text_of(body, "from").starts_with("sim-" + run_) &&
          text_of(body, "channel") == "general")
        early_.insert(id);
      const bool ours = text_of(body, "player_id").starts_with("sim-" + run_);
      if (text_of(body, "channel") == "achievement" && ours) ++announced_;
      say(text_of(body, "channel"), words_of(body));
    } else if (const auto* e = o.if_contains("event")) {
      const auto& data = e->at("data").as_object();
      const auto type = text_of(data, "type");
      if (type != "death" && type != "completion") return;
      if (type == "death") fallen_.push_back(text_of(data, "player_id"));
      const auto who = name_of(text_of(data, "player_id"));
      const auto text =
          type == "death" ? fmt::format("{} falls to {}", who, name_of(text_of(data, "killer_id")))
                          : fmt::format("{} completes {}", who, name_of(text_of(data, "level_id")));
      recent_.push_front(text);
      if (recent_.size() > recent_limit) recent_.pop_back();
      say("activity", text);
    }
  }

  void say(const std::string& channel, const std::string& text) {
    if (view_.line) view_.line(channel, text);
  }

  awaitable<void> play() {
    const auto start = steady::now();
    auto next_report = start + plan_.interval;
    const auto step = std::chrono::duration_cast<steady::duration>(1s / plan_.rate);
    auto due = start;
    while (!stop_ && (plan_.duration.count() == 0 || steady::now() - start < plan_.duration)) {
      co_await act();
      if (steady::now() >= next_report) {
        next_report += plan_.interval;
        co_await report();
      }
      // What could not be done in time is not made up for: the rate is an upper bound.
      due = std::max(due + step, steady::now() - 1s);
      co_await rest_until(due);
    }
    co_await report();
  }

  awaitable<void> act() {
    while (!fallen_.empty()) {
      const auto who = fallen_.front();
      fallen_.pop_front();
      if (!who.starts_with("sim-" + run_)) continue;
      json::object e{{"type", "respawn"}, {"player_id", who}, {"hp", 100}};
      co_await interact(std::move(e));
    }
    const auto dice = between(1, 100);
    if (dice <= 35)
      co_await attack();
    else if (dice <= 55)
      co_await complete();
    else if (dice <= 75)
      co_await move();
    else if (dice <= 85)
      co_await trade();
    else if (dice <= 97)
      co_await chat();
    else
      co_await unlock();
  }

  awaitable<bool> interact(json::object event) {
    const std::vector<int> ok{200};
    const auto answer = co_await ask("POST", "/api/interactions", std::move(event), ok);
    co_return answer.at("accepted").as_int64() == 1;
  }

  awaitable<void> attack() {
    const auto& who = a_player();
    const auto damage = between(5, 45);
    json::object e{{"type", "attack"},
                   {"id", random_uuid()},
                   {"attacker_id", who},
                   {"target_id", another(who)},
                   {"damage", damage}};
    if (!co_await interact(std::move(e))) co_return;
    ++interactions_;
    damage_ += damage;
  }

  awaitable<void> move() {
    json::object e{{"type", "move"},
                   {"player_id", a_player()},
                   {"lat", 48.85 + static_cast<double>(between(-100, 100)) / 10'000},
                   {"lon", 2.35 + static_cast<double>(between(-100, 100)) / 10'000}};
    if (co_await interact(std::move(e))) ++interactions_;
  }

  awaitable<void> trade() {
    const auto& who = a_player();
    json::object give{{goods[below(goods.size())], between(1, 8)}};
    json::object take{{goods[below(goods.size())], between(1, 8)}};
    json::object e{{"type", "trade"},    {"id", random_uuid()},     {"from", who},
                   {"to", another(who)}, {"give", std::move(give)}, {"take", std::move(take)}};
    if (co_await interact(std::move(e)))
      ++interactions_;
    else
      ++refused_;
  }

  awaitable<void> complete() {
    const auto& level = levels_[std::min(below(levels_.size()), below(levels_.size()))];
    const auto score = between(10, 100);
    json::object body{
        {"player_id", a_player()}, {"score", score}, {"completion_id", random_uuid()}};
    const std::vector<int> created{201};
    co_await ask("POST", "/api/levels/" + level + "/completions", std::move(body), created);
    ++completions_;
    score_ += score;
  }

  awaitable<void> chat() {
    json::object body{{"from", a_player()}, {"text", phrases[below(phrases.size())]}};
    const std::vector<int> fine{201, 429};
    auto answer = co_await ask("POST", "/api/chat/general/messages", std::move(body), fine);
    const auto* id = answer.if_contains("id");
    if (!id) co_return;
    ++said_;
    const std::string text(id->as_string());
    if (early_.erase(text) == 0) mine_.insert(text);
  }

  awaitable<void> unlock() {
    const std::vector<int> fine{200, 201};
    co_await ask(
        "PUT",
        fmt::format("/api/players/{}/achievements/{}", a_player(), feats[below(feats.size())]),
        nullptr, fine);
  }

  awaitable<void> report() {
    screen_section scores{.title = "Leaderboard (global)", .lines = {}};
    const auto board = co_await get_object(reader_, "/api/leaderboards/global?limit=10");
    for (const auto& e : board.at("items").as_array()) {
      const std::string id(e.at("player_id").as_string());
      co_await learn(id);
      scores.lines.push_back(fmt::format("{:>3}  {:<24}{:>10}",
                                         e.at("rank").to_number<std::int64_t>(), name_of(id),
                                         e.at("score").to_number<double>()));
    }
    screen_section levels{.title = "Popular levels", .lines = {}};
    const auto popular = co_await get_object(reader_, "/api/levels?sort=popular&limit=10");
    for (const auto& e : popular.at("items").as_array())
      levels.lines.push_back(fmt::format("{:<24}{:<8}{:>6}", std::string(e.at("name").as_string()),
                                         std::string(e.at("difficulty").as_string()),
                                         e.at("completions").to_number<std::int64_t>()));
    screen_section recent{.title = "Recent activity", .lines = {recent_.begin(), recent_.end()}};
    const std::vector<screen_section> out{std::move(scores), std::move(levels), std::move(recent)};
    if (view_.report) view_.report(out);
  }

  // Chat that was answered may still be on its way to the listener.
  awaitable<void> hear_the_rest() {
    const auto limit = steady::now() + 5s;
    while (!mine_.empty() && steady::now() < limit) co_await rest_until(steady::now() + 20ms);
  }

  awaitable<std::vector<total>> read_back() {
    const auto now = co_await read_world(reader_, players_, "sim-" + run_);
    // What was unlocked last may still be on its way to the listener.
    const auto limit = steady::now() + 5s;
    while (announced_ < now.achievements && steady::now() < limit)
      co_await rest_until(steady::now() + 20ms);
    const auto heard = said_ - static_cast<std::int64_t>(mine_.size());
    std::vector<total> out{{"levels completed", completions_, now.completions},
                           {"levels gained by players", completions_, now.levels_gained},
                           {"score on the global board", score_, now.score},
                           {"damage dealt", damage_, now.damage},
                           {"interactions in 24 hours", interactions_, now.interactions},
                           {"items owned", given_, now.items},
                           {"chat messages received", said_, heard},
                           {"achievements announced", announced_, now.achievements}};
    say("", fmt::format("{} trades refused for lack of goods", refused_));
    co_return out;
  }

  asio::io_context& io_;
  simulation_plan plan_;
  http_client http_;
  http_client reader_;
  websocket_client socket_;
  const simulation_view& view_;
  const std::atomic<bool>& stop_;
  std::mt19937_64 random_;
  std::string run_;
  std::vector<std::string> players_;
  std::vector<std::string> levels_;
  std::unordered_map<std::string, std::string> names_;  // of players and levels, by their ids
  std::deque<std::string> recent_;
  std::deque<std::string> fallen_;
  std::set<std::string> mine_;   // ids of chat messages said and not yet heard
  std::set<std::string> early_;  // heard before they were answered
  std::int64_t given_ = 0, interactions_ = 0, damage_ = 0, refused_ = 0, completions_ = 0,
               score_ = 0;
  std::int64_t said_ = 0, announced_ = 0;
};

}  // namespace

awaitable<std::vector<total>> simulate(asio::io_context& io, simulation_plan plan,
                                       server_address server, std::string api_key,
                                       const simulation_view& view, const std::atomic<bool>& stop) {
  simulation s(io, plan, std::move(server), std::move(api_key), view, stop);
  co_return co_await s.run();
}

}  // namespace skirmish::cli
