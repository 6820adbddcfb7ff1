#include "jobs/jobs.hpp"

#include "db/soci.hpp"

namespace skirmish::jobs {
namespace {

const error unknown_job{errc::not_found, "there is no such job"};

std::optional<job> select_job(soci::session& sql, const std::string& job_id) {
  job j;
  j.job_id = job_id;
  sql << "SELECT kind, payload, state, worker_id, created_at, assigned_at, ended_at "
         "FROM assignment_jobs WHERE job_id = :id",
      soci::use(job_id), soci::into(j.kind), soci::into(j.payload), soci::into(j.state),
      soci::into(j.worker_id), soci::into(j.created_at), soci::into(j.assigned_at),
      soci::into(j.ended_at);
  if (!sql.got_data()) return std::nullopt;
  return j;
}

// The job, if this worker may have it: because it is pending, or because it has it already.
result<job> assignable(soci::session& sql, const std::string& job_id,
                       const std::string& worker_id) {
  auto j = select_job(sql, job_id);
  if (!j) return unknown_job;
  int known = 0;
  sql << "SELECT COUNT(*) FROM players WHERE player_id = :id", soci::use(worker_id),
      soci::into(known);
  if (known == 0) return error{errc::invalid_argument, "there is no worker " + worker_id};
  const bool is_its_own = j->state == "processing" && j->worker_id == worker_id;
  if (j->state != "pending" && !is_its_own)
    return error{errc::conflict, "the job " + job_id + " is " + j->state + ", not pending"};
  return std::move(*j);
}

}  // namespace

awaitable<result<job>> service::create(job j) {
  j.created_at = clock_.now();
  auto insert = [j](soci::session& sql) {
    if (select_job(sql, j.job_id)) return false;
    sql << "INSERT INTO assignment_jobs (job_id, kind, payload, state, created_at) "
           "VALUES (:id, :kind, :payload, :state, :at)",
        soci::use(j.job_id), soci::use(j.kind), soci::use(j.payload), soci::use(j.state),
        soci::use(j.created_at);
    return true;
  };
  const bool inserted = co_await db_.transaction(std::move(insert));
  if (!inserted) co_return error{errc::already_exists, "there is a job " + j.job_id + " already"};
  co_return j;
}

awaitable<result<job>> service::get(std::string job_id) {
  auto select = [job_id](soci::session& sql) { return select_job(sql, job_id); };
  auto found = co_await db_.read(std::move(select));
  if (!found) co_return unknown_job;
  co_return std::move(*found);
}

awaitable<std::vector<job>> service::list(std::string state, std::string after,
                                          std::int64_t limit) {
  auto select = [state, after, limit](soci::session& sql) {
    std::vector<std::string> ids;
    std::string id;
    soci::statement rows =
        state.empty()
            ? (sql.prepare << "SELECT job_id FROM assignment_jobs WHERE job_id > :after "
                              "ORDER BY job_id LIMIT :n",
               soci::use(after), soci::use(limit), soci::into(id))
            : (sql.prepare << "SELECT job_id FROM assignment_jobs WHERE state = :state AND "
                              "job_id > :after ORDER BY job_id LIMIT :n",
               soci::use(state), soci::use(after), soci::use(limit), soci::into(id));
    rows.execute();
    while (rows.fetch()) ids.push_back(id);
    std::vector<job> out;
    for (const auto& one : ids)
      if (auto j = select_job(sql, one)) out.push_back(std::move(*j));
    return out;
  };
  co_return co_await db_.read(std::move(select));
}

awaitable<result<job>> service::check(std::string job_id, std::string worker_id) {
  auto look = [job_id, worker_id](soci::session& sql) {
    return assignable(sql, job_id, worker_id);
  };
  co_return co_await db_.read(std::move(look));
}

awaitable<result<job>> service::assign(std::string job_id, std::string worker_id) {
  auto write = [job_id, worker_id, now = clock_.now()](soci::session& sql) -> result<job> {
    auto j = assignable(sql, job_id, worker_id);
    if (!j || j->state == "processing") return j;
    const auto rows = db::affected_rows(
        (sql.prepare << "UPDATE assignment_jobs SET state = 'processing', worker_id = :worker, "
                        "assigned_at = :at WHERE job_id = :id AND state = 'pending'",
         soci::use(worker_id), soci::use(now), soci::use(job_id)));
    if (rows != 1) return error{errc::conflict, "the job " + job_id + " has just been assigned"};
    j->state = "processing";
    j->worker_id = worker_id;
    j->assigned_at = now;
    return j;
  };
  // Repeating it is safe: who has the job already gets it again.
  co_return co_await db_.transaction(std::move(write), db::retry::safe);
}

awaitable<result<job>> service::end(std::string job_id, bool succeeded) {
  const std::string state = succeeded ? "done" : "failed";
  auto write = [job_id, state, now = clock_.now()](soci::session& sql) -> result<job> {
    auto j = select_job(sql, job_id);
    if (!j) return unknown_job;
    if (j->state == state) return std::move(*j);
    const auto rows = db::affected_rows(
        (sql.prepare << "UPDATE assignment_jobs SET state = :state, ended_at = :at "
                        "WHERE job_id = :id AND state = 'processing'",
         soci::use(state), soci::use(now), soci::use(job_id)));
    if (rows != 1)
      return error{errc::conflict, "the job " + job_id + " is " + j->state + ", not processing"};
    j->state = state;
    j->ended_at = now;
    return std::move(*j);
  };
  co_return co_await db_.transaction(std::move(write), db::retry::safe);
}

}  // namespace skirmish::jobs
