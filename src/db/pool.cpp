#include "db/pool.hpp"

#include "core/event.hpp"
#include "core/log.hpp"
#include "db/soci.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace skirmish::db {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds refuse_after_failed_connect{500};

std::exception_ptr failed(errc code, const std::string& what) {
  return std::make_exception_ptr(failure(code, what));
}

// What the caller gets for an SQL error, with the statement as it was written: SOCI's own what()
// would put every bound value, and so secrets, into the log.
std::exception_ptr translate(const soci::soci_error& e, soci::session& sql, bool was_cut) {
  const auto text = "SQL: " + e.get_error_message() + " in: " + sql.get_last_query().substr(0, 500);
  if (was_cut) return failed(errc::deadline_exceeded, text);
  switch (fault_of(e)) {
    case sql_fault::deadline: return failed(errc::deadline_exceeded, text);
    case sql_fault::lost:
    case sql_fault::contention:
    case sql_fault::unavailable: return failed(errc::unavailable, text);
    case sql_fault::duplicate_key:
    case sql_fault::other: break;
  }
  return failed(errc::internal, text);
}

}  // namespace

// ---- job

queued_work::queued_work(work_function work, retry on_loss, std::shared_ptr<event> wake)
    : work_(std::move(work)), on_loss_(on_loss), wake_(std::move(wake)) {}

bool queued_work::is_abandoned() {
  const std::lock_guard lock(mutex_);
  return wake_ == nullptr;
}

void queued_work::finish(std::exception_ptr problem) {
  const std::lock_guard lock(mutex_);
  if (!wake_) return;
  is_done_ = true;
  problem_ = std::move(problem);
  asio::post(wake_->executor(), [weak = std::weak_ptr(wake_)] {
    if (const auto wake = weak.lock()) wake->set();
  });
}

void queued_work::abandon() {
  const std::lock_guard lock(mutex_);
  wake_.reset();
}

bool queued_work::take() {
  const std::lock_guard lock(mutex_);
  if (problem_) std::rethrow_exception(std::exchange(problem_, nullptr));
  return is_done_;
}

// ---- connect_gate

bool connect_gate::try_enter() {
  const std::lock_guard lock(mutex_);
  if (!is_down_) return true;
  if (is_probing_ || steady_clock::now() < refused_until_) return false;
  return is_probing_ = true;
}

void connect_gate::succeeded() {
  const std::lock_guard lock(mutex_);
  if (is_down_) log::info("sql_connected_again");
  is_down_ = is_probing_ = false;
}

bool connect_gate::failed() {
  const std::lock_guard lock(mutex_);
  is_probing_ = false;
  refused_until_ = steady_clock::now() + refuse_after_failed_connect;
  return !std::exchange(is_down_, true);
}

// ---- pool

pool::pool(db::config config) : config_(std::move(config)) {
  const auto count =
      config_.kind == sql_kind::sqlite ? 1 : std::max<std::size_t>(1, config_.sessions);
  for (std::size_t i = 0; i < count; ++i) sessions_.push_back(std::make_unique<session>(config_));
}

void pool::start() {
  {
    const std::lock_guard lock(mutex_);
    if (is_running_) return;
    is_running_ = true;
    serving_ = sessions_.size();
  }
  for (auto& session : sessions_) threads_.emplace_back([this, &session] { serve(*session); });
  threads_.emplace_back([this] { watch(); });
}

void pool::stop(std::chrono::milliseconds grace) {
  std::deque<std::shared_ptr<queued_work>> dropped;
  {
    const std::lock_guard lock(mutex_);
    is_running_ = false;
    dropped.swap(queue_);
    for (auto& session : sessions_) session->hasten(steady_clock::now() + grace);
    work_arrived_.notify_all();
    state_changed_.notify_all();
  }
  for (const auto& job : dropped) job->finish(failed(errc::unavailable, "SQL: stopping"));
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void pool::submit(std::shared_ptr<queued_work> job) {
  const std::lock_guard lock(mutex_);
  if (!is_running_) throw failure(errc::unavailable, "SQL: not running");
  if (queue_.size() >= config_.queue_limit) throw failure(errc::unavailable, "SQL: queue is full");
  queue_.push_back(std::move(job));
  work_arrived_.notify_one();
}

void pool::serve(session& session) {
  while (const auto job = next(session)) {
    // A caller that has gone needs no answer; skipping its work lets the pool catch up after a
    // stall.
    if (job->is_abandoned()) continue;
    auto problem = session.is_usable() ? nullptr : connect(session);
    const bool is_connected = problem == nullptr;
    if (is_connected) problem = perform(session, *job);
    session.finish();
    if (is_connected || !hand_back(job)) job->finish(std::move(problem));
  }
  session.close();
  const std::lock_guard lock(mutex_);
  --serving_;
  state_changed_.notify_all();
}

bool pool::hand_back(const std::shared_ptr<queued_work>& job) {
  std::unique_lock lock(mutex_);
  const bool is_any_open = std::any_of(sessions_.begin(), sessions_.end(),
                                       [](const auto& session) { return session->is_open(); });
  if (!is_running_ || !is_any_open) return false;
  queue_.push_front(job);
  work_arrived_.notify_one();
  state_changed_.wait_for(lock, refuse_after_failed_connect, [this] { return !is_running_; });
  return true;
}

std::shared_ptr<queued_work> pool::next(session& session) {
  std::unique_lock lock(mutex_);
  work_arrived_.wait(lock, [this] { return !is_running_ || !queue_.empty(); });
  if (!is_running_) return nullptr;
  auto job = std::move(queue_.front());
  queue_.pop_front();
  // Under the lock, so that stop() either drops the work or finds it started.
  session.start(steady_clock::now() + config_.work_limit());
  return job;
}

std::exception_ptr pool::perform(session& session, queued_work& job) {
  for (bool may_retry = job.may_retry();; may_retry = false) {
    try {
      job.run(session.native());
      if (!session.end_transaction()) return nullptr;
      return failed(errc::internal, "SQL: work returned without ending its transaction");
    } catch (const soci::soci_error& e) {
      const bool was_cut = session.was_cut();
      const bool was_lost = fault_of(e) == sql_fault::lost;
      auto problem = translate(e, session.native(), was_cut);
      clean_up(session, was_lost || was_cut);
      if (!was_lost || was_cut || !may_retry) return problem;
    } catch (...) {
      auto problem = std::current_exception();
      clean_up(session, false);
      return problem;
    }
    if (auto problem = connect(session)) return problem;
  }
}

void pool::clean_up(session& session, bool is_broken) noexcept {
  try {
    // The next user of this session must not find itself inside the remains of a transaction.
    if (!is_broken) session.end_transaction();
  } catch (...) {
    is_broken = true;
  }
  if (is_broken) session.close();
}

std::exception_ptr pool::connect(session& session) {
  session.close();
  if (!gate_.try_enter()) return failed(errc::unavailable, "SQL: the server cannot be reached");
  try {
    session.open();
    gate_.succeeded();
    return nullptr;
  } catch (const std::exception& e) {
    const auto* sql = dynamic_cast<const soci::soci_error*>(&e);
    const auto text = sql != nullptr ? sql->get_error_message() : std::string(e.what());
    if (gate_.failed())
      log::warn("sql_connect_failed", {{"database", to_string(config_)}, {"error", text}});
    return failed(errc::unavailable, "SQL: cannot connect: " + text);
  }
}

void pool::watch() {
  std::unique_lock lock(mutex_);
  while (is_running_ || serving_ > 0) {
    const auto now = steady_clock::now();
    // Work that starts from now on has the full limit before it, so nothing needs to wake this
    // thread earlier.
    auto look_again = now + config_.work_limit();
    for (auto& session : sessions_) look_again = std::min(look_again, session->cut_if_late(now));
    state_changed_.wait_until(lock, look_again);
  }
}

}  // namespace skirmish::db
