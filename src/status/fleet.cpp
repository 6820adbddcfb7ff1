#include "status/fleet.hpp"

#include "core/json_text.hpp"
#include "core/log.hpp"
#include "status/document.hpp"
#include "status/probe.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace skirmish::status {
namespace {

namespace json = boost::json;

std::optional<observation> parse_server(std::string_view text) {
  boost::system::error_code ec;
  const auto parsed = json::parse(text, ec);
  const auto* object = ec ? nullptr : parsed.if_object();
  return object ? read_game(*object) : std::nullopt;
}

history_point point_of(const observation& game) {
  history_point out;
  out.is_online = game.is_online;
  out.players = game.is_online ? game.info.players : std::optional<std::int64_t>{0};
  out.max_players = game.info.max_players;
  return out;
}

}  // namespace

std::string server_json(std::string_view name, const observation& game) {
  return R"({"server":)" + json_string_of(name) + game_members(game) + "}";
}

fleet::fleet(task_group& tasks, redis::client& redis, const redis::key_space& keys,
             const config& settings, const clock& time, metrics::registry& metrics,
             view_board& board)
    : tasks_(tasks),
      settings_(settings),
      clock_(time),
      store_(redis, keys),
      board_(board),
      probes_(metrics.add_counter("skirmish_status_server_probes_total",
                                  "Probes of the game servers beside the first.")),
      failures_(metrics.add_counter("skirmish_status_server_probe_failures_total",
                                    "Probes of the game servers beside the first that failed.")) {
  for (const auto& server : other_servers(settings)) {
    auto target = parse_probe_url(server.url);
    if (!target)
      throw failure(target.error().code,
                    "status.probes." + server.name + ": " + target.error().message);
    members_.push_back({server.name, std::move(*target),
                        damper(static_cast<int>(settings.status.probe_failures))});
    names_.push_back(server.name);
  }
}

std::vector<std::pair<std::string, observation>> fleet::published() const {
  std::vector<std::pair<std::string, observation>> out;
  for (const auto& m : members_)
    if (m.seen.published()) out.emplace_back(m.name, *m.seen.published());
  return out;
}

void fleet::probe_all() {
  for (auto& m : members_) ask_soon(m, true);
}

void fleet::ask_soon(member& m, bool is_refresh) {
  if (m.is_being_asked) return;
  m.again_at = steady::time_point::max();
  m.is_being_asked =
      tasks_.spawn("status_server_probe", [this, &m, is_refresh] { return ask(m, is_refresh); });
}

awaitable<void> fleet::ask(member& m, bool is_refresh) {
  struct ender {
    bool& is_being_asked;
    ~ender() { is_being_asked = false; }
  };
  const ender at_exit{m.is_being_asked};
  probes_.add();
  auto seen = co_await probe(m.target, settings_.status.probe_timeout, clock_);
  const bool failed = !seen.is_online;
  const auto before = m.seen.published();
  if (failed) {
    failures_.add();
    log::warn("status_probe_failed",
              {{"name", m.name}, {"server", authority(m.target)}, {"error", seen.problem}});
  }
  m.seen.observe(std::move(seen));
  const bool is_online = m.seen.published()->is_online;
  const bool has_turned = !before || before->is_online != is_online;
  if (has_turned)
    log::info("status_game_server",
              {{"name", m.name}, {"server", authority(m.target)}, {"online", is_online}});
  m.again_at = failed ? steady::now() + settings_.status.probe_retry : steady::time_point::max();
  co_await write(m, is_refresh || has_turned);
  show();
}

awaitable<void> fleet::write(const member& m, bool is_point) {
  if (!board_.is_redis_up) co_return;
  try {
    const auto& game = *m.seen.published();
    co_await store_.write_server(m.name, server_json(m.name, game), settings_.status.cache_ttl);
    if (is_point)
      co_await store_.append_server_history(m.name, point_of(game), settings_.status.history_limit);
  } catch (const failure& e) {
    log::warn("status_server_not_written", {{"name", m.name}, {"error", e.what()}});
  }
}

awaitable<void> fleet::watch(bool is_redis_up, bool acts) {
  if (members_.empty()) co_return;
  const bool is_taking_over = acts && !acts_;
  acts_ = acts;
  if (is_redis_up && (!acts || is_taking_over)) co_await read(acts);
  if (!acts) co_return;
  for (auto& m : members_)
    if (steady::now() >= m.again_at) ask_soon(m, false);
}

// Followers show what the leader wrote; who takes over goes on from there.
awaitable<void> fleet::read(bool acts) {
  try {
    const auto found = co_await store_.servers(names_);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      auto game = found[i] ? parse_server(*found[i]) : std::nullopt;
      if (!game || members_[i].is_being_asked) continue;
      if (acts && !game->is_online) members_[i].again_at = steady::now();
      members_[i].seen.restore(std::move(*game));
    }
    show();
  } catch (const failure&) {
    // The keeper's own look at Redis tells of it; what was known last is shown.
  }
}

void fleet::show() {
  auto next = std::make_shared<view_board::named_documents>();
  for (const auto& m : members_)
    if (m.seen.published()) next->emplace(m.name, server_json(m.name, *m.seen.published()));
  board_.publish_servers(std::move(next));
}

}  // namespace skirmish::status
