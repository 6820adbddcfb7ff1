-- Requests that wait for a worker, and who has which. Times are milliseconds since 1970 in UTC; `worker_id` is the id of
-- a player. States: pending, processing, done, failed.

CREATE TABLE IF NOT EXISTS assignment_jobs (
  job_id VARCHAR(64) NOT NULL PRIMARY KEY,
  kind VARCHAR(64) NOT NULL,
  payload TEXT NOT NULL,
  state VARCHAR(16) NOT NULL,
  worker_id VARCHAR(64),
  created_at BIGINT NOT NULL,
  assigned_at BIGINT,
  ended_at BIGINT
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

CREATE INDEX assignment_jobs_state ON assignment_jobs (state, job_id);

SELECT job_id, kind, payload, state, worker_id, created_at, assigned_at, ended_at FROM assignment_jobs WHERE 1 = 0;
