// One connection that mends itself, for this folder's own use.
#pragma once

#include "db/backend.hpp"

#include <chrono>
#include <memory>
#include <mutex>

namespace skirmish::db {

// Used by the thread that owns it, except for cut_if_late().
class session {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit session(const db::config& config);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  // True when there is a connection and the server has not hung up.
  [[nodiscard]] bool is_usable() const;
  // Any thread: true when there is a connection, be it a dead one.
  [[nodiscard]] bool is_open() const;
  // Connects; only when closed. Throws soci::soci_error.
  void open();
  void close() noexcept;
  // Only when open.
  [[nodiscard]] soci::session& native() noexcept { return *session_; }

  // Between these two the session may be cut at `limit`.
  void start(time_point limit);
  void finish();
  // Whether it was cut since start().
  [[nodiscard]] bool was_cut() const;

  // Any thread: breaks the connection under work that started and is past its limit, so that its
  // thread comes back. Returns when to look again: the limit of the running work, or the latest
  // time point when nothing runs.
  time_point cut_if_late(time_point now);
  // Any thread: brings the limit of running work forward.
  void hasten(time_point limit);

  // Ends a transaction that work left open. True when there was one.
  bool end_transaction();

 private:
  const db::config& config_;
  const backend& backend_;
  std::unique_ptr<soci::session> session_;

  mutable std::mutex mutex_;  // guards what follows
  // A duplicate of the connection's descriptor: its number stays ours when the client library
  // closes its own.
  int descriptor_ = -1;
  bool is_open_ = false;
  bool was_cut_ = false;
  time_point limit_ = time_point::max();
};

}  // namespace skirmish::db
