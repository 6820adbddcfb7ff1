// The SQL database: a few sessions, each on a thread of its own, used from coroutines.
//
//   awaitable<std::optional<std::string>> name_of(database& db, std::string id) {
//     return db.read([id](soci::session& sql) -> std::optional<std::string> {
//       std::string name;
//       sql << "SELECT name FROM players WHERE player_id = :id", soci::use(id), soci::into(name);
//       return sql.got_data() ? std::optional(name) : std::nullopt;
//     });
//   }
//
// A repository's .cpp includes "db/soci.hpp" for SOCI itself.
#pragma once

#include "core/asio.hpp"
#include "db/config.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace soci {
class session;
}

namespace skirmish::db {

// Whether work may be run again when its connection was lost and nobody knows how much was done.
enum class retry { never, safe };

class pool;

// Thread-safe. Work runs on the database's threads; the caller resumes on its own executor, which
// must run its coroutines one at a time (a single-threaded io_context or a strand).
//
// Work captures by value, for it goes on when its caller was cancelled. It does not consume its
// captures where it may run twice. What it throws reaches the caller; a soci_error becomes
//   failure{unavailable}        no connection, the queue is full, the server refuses, or the
//                               connection was lost (whether a write was done is then unknown)
//   failure{deadline_exceeded}  no answer within work_limit(), or the statement took too long
//   failure{internal}           any other SQL error
class database {
 public:
  // Does not connect: sessions open for the first work that needs them, and again after a loss.
  // While the server cannot be reached, work fails at once, and every half second one tries again.
  explicit database(db::config config);
  ~database();  // stops
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  void start();
  // Refuses new work, fails what is queued, and cuts what still runs after `grace`. Blocks until
  // the threads ended.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds{2});

  [[nodiscard]] sql_kind kind() const noexcept;
  [[nodiscard]] const db::config& config() const noexcept;

  // Runs `work(soci::session&)` and returns what it returned. Each statement commits by itself.
  template <class F>
  auto run(F work, retry on_loss = retry::never)
      -> awaitable<std::invoke_result_t<F&, soci::session&>> {
    using value = std::invoke_result_t<F&, soci::session&>;
    if constexpr (std::is_void_v<value>) {
      std::function<void(soci::session&)> job = std::move(work);
      co_await execute(std::move(job), on_loss);
    } else {
      // Shared, because the work may outlive this frame.
      auto slot = std::make_shared<std::optional<value>>();
      std::function<void(soci::session&)> job =
          [slot, work = std::move(work)](soci::session& sql) mutable { slot->emplace(work(sql)); };
      co_await execute(std::move(job), on_loss);
      co_return std::move(**slot);
    }
  }

  // For work that only reads: it is run again when its connection was lost.
  template <class F>
  auto read(F work) {
    return run(std::move(work), retry::safe);
  }

  // Runs `work` as one transaction: committed when it returns, rolled back when it throws or
  // returns a `result` with an error, run again (a few times) when the server chose it as the
  // victim of a deadlock.
  template <class F>
  auto transaction(F work, retry on_loss = retry::never) {
    using value = std::invoke_result_t<F&, soci::session&>;
    return run(
        [this, work = std::move(work)](soci::session& sql) mutable -> value {
          if constexpr (std::is_void_v<value>) {
            transact(sql, [&] { return work(sql), true; });
          } else {
            std::optional<value> out;
            transact(sql, [&] {
              out.emplace(work(sql));
              if constexpr (requires { out->has_error(); }) return !out->has_error();
              return true;
            });
            return std::move(*out);
          }
        },
        on_loss);
  }

  // Asks the server for a trivial answer. For /readyz.
  awaitable<void> ping();

 private:
  awaitable<void> execute(std::function<void(soci::session&)> work, retry on_loss);
  // Commits when `body` returns true, rolls back when it returns false or throws.
  void transact(soci::session& sql, const std::function<bool()>& body) const;

  std::unique_ptr<pool> pool_;
};

}  // namespace skirmish::db
