#include "status/keeper.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "status/constants.hpp"

#include <boost/asio/steady_timer.hpp>

#include <filesystem>

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;

// How often Redis is looked at: what changed there is seen, and a live interval in force, within a
// second.
constexpr auto watch_interval = 500ms;
constexpr auto lease_interval = 2s;
constexpr auto connect_patience = 1s;
// A view confirmed by a look at Redis stands until well after the next look.
constexpr auto cache_view_life = 2s;
// Without Redis, the database is read at most once in this time, whatever the load.
constexpr auto degraded_view_life = 1s;
constexpr std::int64_t interval_min_s = 5;
constexpr std::int64_t interval_max_s = 86'400;

awaitable<void> pause(asio::io_context& io, std::chrono::milliseconds duration) {
  asio::steady_timer timer(io, duration);
  co_await timer.async_wait(use_awaitable);
}

redis::key_space keys_of(const config& settings) {
  auto keys = redis::key_space::of_world(settings.server.world);
  if (!keys) throw failure(keys.error().code, keys.error().message);
  return *keys;
}

std::optional<probe_target> target_of(const config& settings) {
  const auto first = first_server(settings);
  if (!first) return std::nullopt;
  auto target = parse_probe_url(first->url);
  if (!target)
    throw failure(target.error().code,
                  "status.probe of the first server: " + target.error().message);
  return *target;
}

void log_complaints(const std::vector<std::string>& complaints) {
  for (const auto& text : complaints) log::warn("status_constant_wrong", {{"problem", text}});
}

}  // namespace

keeper::keeper(task_group& tasks, redis::client& redis, unsigned redis_database, db::database& db,
               const config& settings, const clock& time, metrics::registry& metrics, bool may_lead)
    : tasks_(tasks),
      db_(db),
      settings_(settings),
      clock_(time),
      store_(redis, keys_of(settings)),
      file_(std::filesystem::path(settings.server.data_dir) / "status.json"),
      target_(target_of(settings)),
      damper_(static_cast<int>(settings.status.probe_failures)),
      fleet_(tasks, redis, keys_of(settings), settings, time, metrics, board_),
      announcer_(tasks.context(), redis, redis_database, keys_of(settings), settings, time),
      may_lead_(may_lead),
      interval_(settings.status.update_interval),
      finding_(tasks, "status_find", [this] { return find_view(); }),
      loading_(tasks, "status_load", [this] { return load(); }),
      observing_(tasks, "status_observe", [this] { return observe(); }),
      refreshing_(tasks, "status_refresh", [this] { return refresh_all(); }),
      refreshes_(
          metrics.add_counter("skirmish_status_refreshes_total", "Readings of `constants`.")),
      refresh_failures_(
          metrics.add_counter("skirmish_status_refresh_failures_total", "Readings that failed.")),
      probes_(metrics.add_counter("skirmish_status_probes_total", "Probes of the game server.")),
      probe_failures_(
          metrics.add_counter("skirmish_status_probe_failures_total", "Probes that failed.")),
      queries_(metrics.add_counter("skirmish_status_queries_total",
                                   "Statements sent to the database for the status.")) {
  board_.interval_ms = interval_.count();
  board_.fresh_grace = settings.status.fresh_grace;
  board_.stale_after = settings.status.stale_after;
  board_.started_at = time.now();
  board_.may_refresh = may_lead;
  metrics.add_callback("skirmish_status_leader", "Whether this process refreshes: 1 or 0.",
                       [this] { return board_.is_leader ? 1.0 : 0.0; });
  metrics.add_callback(
      "skirmish_status_age_seconds", "Age of the document; -1 without one.", [this] {
        const auto seen = board_.get();
        if (!seen || seen->doc.updated_at == timestamp{}) return -1.0;
        return std::chrono::duration<double>(clock_.now() - seen->doc.updated_at).count();
      });
  metrics.add_callback(
      "skirmish_status_scheduled_refresh_time_seconds",
      "When a status worker last refreshed by the clock (Unix time); 0: not known.", [this] {
        const auto seen = board_.get();
        const auto at = seen ? seen->doc.scheduled_at : timestamp{};
        return std::chrono::duration<double>(at.time_since_epoch()).count();
      });
}

void keeper::start() {
  known_ = file_.load();
  if (known_ && known_->game) damper_.restore(*known_->game);
  tasks_.keep_running("status_watch", [this] { return watch(); });
}

awaitable<void> keeper::hand_over() {
  if (!board_.is_leader.exchange(false)) co_return;
  may_lead_ = false;
  try {
    co_await store_.release_lease();
  } catch (const failure&) {
    // It runs out by itself.
  }
}

awaitable<void> keeper::resolve() { return finding_.join(); }

awaitable<refresh_outcome> keeper::refresh() {
  // What is under way may have read what the caller has changed since.
  co_await refreshing_.settle();
  co_await loading_.settle();
  co_await observing_.settle();
  co_await refreshing_.join();
  co_return refresh_outcome{is_loaded_, load_problem_};
}

awaitable<std::vector<history_point>> keeper::history(const std::string& server, timestamp since,
                                                      std::int64_t limit) {
  if (server.empty()) return store_.history(since, limit);
  return store_.server_history(server, since, limit);
}

awaitable<void> keeper::watch() {
  try {
    co_await store_.wait_connected(connect_patience);
  } catch (const failure& e) {
    log::repeated(log::level::warn, e.what(), "status_redis_down", {{"error", e.what()}});
  }
  repeat how{.interval = watch_interval, .failed = "status_watch_failed"};
  const auto round = [this] { return watch_once(); };
  co_await repeat_every(std::move(how), round);
}

awaitable<void> keeper::watch_once() {
  co_await look();
  co_await lead();
  co_await fleet_.watch(board_.is_redis_up, acts());
  co_await announce();
  if (steady::now() < probe_again_at_) co_return;
  probe_again_at_ = steady::time_point::max();
  tasks_.spawn("status_probe_again", [this] { return probe_again(); });
}

awaitable<void> keeper::look() {
  try {
    see(co_await store_.poll());
  } catch (const failure& e) {
    lose_redis(e.what());
  }
}

void keeper::lose_redis(const std::string& why) {
  board_.is_leader = false;
  is_in_redis_ = false;
  board_.ttl_ms = 0;
  if (!board_.is_redis_up.exchange(false)) return;
  log::repeated(log::level::warn, why, "status_redis_down", {{"error", why}});
  polled_text_.clear();
  board_.invalidate();
}

void keeper::see(const store::polled& seen) {
  if (!board_.is_redis_up.exchange(true))
    log::repeated(log::level::info, {}, "status_redis_up", {});
  take_interval(seen.interval);
  board_.ttl_ms = seen.ttl.count();
  const auto current = board_.get();
  const bool shows_cache = current && current->from == origin::cache;
  is_in_redis_ = seen.document.has_value();
  if (!is_in_redis_) {
    polled_text_.clear();
    if (shows_cache) board_.invalidate();
    return;
  }
  if (shows_cache && *seen.document == polled_text_) {
    board_.extend(steady::now() + cache_view_life);
    return;
  }
  auto parsed = parse_document(*seen.document);
  if (!parsed) {
    if (*seen.document != polled_text_)
      log::warn("status_document_unreadable", {{"key", "server:status"}});
    polled_text_ = *seen.document;
    is_in_redis_ = false;
    if (shows_cache) board_.invalidate();
    return;
  }
  polled_text_ = *seen.document;
  if (!board_.is_leader && parsed->game) damper_.restore(*parsed->game);
  known_ = std::move(*parsed);
  publish(origin::cache);
}

void keeper::take_interval(const std::optional<std::string>& text) {
  auto wanted = settings_.status.update_interval;
  bool is_set = false;
  if (text) {
    const auto seconds = parse_integer(*text);
    if (seconds && *seconds >= interval_min_s && *seconds <= interval_max_s) {
      wanted = std::chrono::seconds{*seconds};
      is_set = true;
    } else if (*text != refused_interval_) {
      refused_interval_ = text->substr(0, 256);
      log::warn("status_interval_refused", {{"key", "config:status_interval"},
                                            {"value", refused_interval_},
                                            {"allowed", "5 to 86400 seconds"},
                                            {"in_force", to_text(wanted)}});
    }
  }
  board_.is_interval_set = is_set;
  if (!text) refused_interval_.clear();
  if (wanted == interval_) return;
  log::info("status_interval_changed", {{"from", to_text(interval_)}, {"to", to_text(wanted)}});
  interval_ = wanted;
  board_.interval_ms = interval_.count();
}

awaitable<void> keeper::set_interval(std::optional<std::int64_t> seconds) {
  co_await store_.set_interval(seconds);
  auto text = seconds ? std::optional(std::to_string(*seconds)) : std::nullopt;
  take_interval(text);
}

bool keeper::is_due() const {
  if (!was_first_due_) return true;
  return steady::now() >= refreshed_at_ + interval_;
}

bool keeper::acts() const { return may_lead_ && (board_.is_leader || !board_.is_redis_up); }

// Only the leader tells of changes: without Redis there is no queue to send them by.
awaitable<void> keeper::announce() {
  if (!board_.is_leader || !board_.is_redis_up) co_return;
  if (const auto game = damper_.published())
    co_await announcer_.tell(first_server_name(settings_), *game);
  for (const auto& [name, game] : fleet_.published()) co_await announcer_.tell(name, game);
}

awaitable<void> keeper::lead() {
  if (!may_lead_) co_return;
  if (board_.is_redis_up && steady::now() >= lease_tried_at_ + lease_interval) {
    lease_tried_at_ = steady::now();
    try {
      const bool had_it = board_.is_leader;
      board_.is_leader = co_await store_.hold_lease();
      if (board_.is_leader && !had_it) log::info("status_leading");
      if (!board_.is_leader && had_it) log::warn("status_not_leading_any_more");
      if (!board_.is_leader && !was_first_due_ && known_) {
        // Somebody else refreshes. Taking over later continues its rhythm.
        was_first_due_ = true;
      }
      if (!board_.is_leader && known_)
        refreshed_at_ = steady::now() - (clock_.now() - known_->updated_at);
    } catch (const failure& e) {
      lose_redis(e.what());
    }
  }
  // Without Redis there is no lease: each process looks after itself.
  if (!acts() || !is_due() || !is_database_prepared_ || refreshing_.is_under_way()) co_return;
  was_first_due_ = true;
  refreshed_at_ = steady::now();
  refreshing_.start();
}

// For readers without a good view: the cache, else the database (which fills the cache), else what
// was known last.
awaitable<void> keeper::find_view() {
  co_await look();
  if (is_in_redis_) co_return;
  co_await loading_.join();
  if (is_loaded_) co_return;
  publish(known_ ? origin::last_known : origin::defaults, load_problem_);
}

// One reading of the database in all processes that share the Redis, while there is one.
awaitable<void> keeper::load() {
  is_loaded_ = false;
  while (!is_database_prepared_) co_await pause(tasks_.context(), 25ms);
  bool is_locked = false;
  try {
    if (board_.is_redis_up) {
      is_locked = co_await store_.take_lock();
      bool is_read = false;
      if (!is_locked) is_read = co_await wait_for_other();
      if (is_read) {
        is_loaded_ = true;
        load_problem_.clear();
        co_return;
      }
    }
  } catch (const failure& e) {
    lose_redis(e.what());
  }
  try {
    co_await load_from_database();
    if (!refreshing_.is_under_way()) report_fill();
    is_loaded_ = true;
    load_problem_.clear();
  } catch (const failure& e) {
    refresh_failures_.add();
    load_problem_ = "the database does not answer";
    log::warn("status_refresh_failed", {{"error", e.what()}});
  }
  if (!is_locked) co_return;
  try {
    co_await store_.release_lock();
  } catch (const failure&) {
    // It runs out by itself.
  }
}

// Another process reads the database now: true when its document has arrived.
awaitable<bool> keeper::wait_for_other() {
  const auto before = known_ ? known_->updated_at : timestamp{};
  for (int i = 0; i < 200; ++i) {  // five seconds
    co_await pause(tasks_.context(), 25ms);
    const bool is_over = !co_await store_.is_locked();
    see(co_await store_.poll());
    if (is_in_redis_ && known_->updated_at != before) co_return true;
    if (is_over) co_return false;
  }
  co_return false;
}

awaitable<void> keeper::load_from_database() {
  queries_.add();
  const auto table = co_await load_constants(db_);
  document next;
  if (table.exists) {
    auto made = read_constants(table.rows, clock_.now());
    log_complaints(made.complaints);
    next = std::move(made.made);
  } else {
    log::error("status_table_missing",
               {{"table", "constants"}, {"used", known_ ? "what was known last" : "the defaults"}});
    if (known_) next = *known_;
    next.updated_at = clock_.now();
  }
  refreshes_.add();
  const bool keeps_others = !target_ && !board_.is_leader && known_;
  // A reader's filling of the cache leaves the time of the last refresh by the clock as it was, so
  // that a status worker that died shows.
  const bool is_scheduled = refreshing_.is_under_way() && acts();
  if (is_scheduled)
    next.scheduled_at = next.updated_at;
  else
    next.scheduled_at = known_ ? known_->scheduled_at : timestamp{};
  next.game = target_ ? damper_.published() : keeps_others ? known_->game : std::nullopt;
  known_ = std::move(next);
  file_.save(*known_);
  if (!board_.is_redis_up) {
    publish(origin::database);
    co_return;
  }
  try {
    co_await store_.write(*known_, settings_.status.cache_ttl);
    is_in_redis_ = true;
    polled_text_ = to_json(*known_);
    board_.ttl_ms = settings_.status.cache_ttl.count();
    publish(origin::cache);
  } catch (const failure& e) {
    lose_redis(e.what());
    publish(origin::database);
  }
}

void keeper::publish(origin from, const std::string& problem) {
  auto next = std::make_shared<view>();
  if (known_) next->doc = *known_;
  next->from = from;
  next->problem = problem;
  const auto life = from == origin::cache ? steady::duration(cache_view_life) : degraded_view_life;
  board_.publish(std::move(next), steady::now() + life);
}

}  // namespace skirmish::status
