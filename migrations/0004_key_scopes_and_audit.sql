-- What a key may do beside its role and until when, and what operators have changed. Times are milliseconds since 1970 in
-- UTC. `scopes`: names with commas between; empty: all that the role may.

ALTER TABLE api_keys ADD COLUMN scopes VARCHAR(255) NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;

-- `audit_id` grows with time. `status` is NULL while the outcome is not known. `target` is a JSON object: the parameters of
-- the route's path.
CREATE TABLE IF NOT EXISTS audit_log (
  audit_id VARCHAR(64) NOT NULL PRIMARY KEY,
  at BIGINT NOT NULL,
  key_id VARCHAR(64) NOT NULL,
  method VARCHAR(16) NOT NULL,
  route VARCHAR(255) NOT NULL,
  target TEXT NOT NULL,
  request_id VARCHAR(64) NOT NULL,
  address VARCHAR(64) NOT NULL,
  status INTEGER
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

CREATE INDEX audit_log_key ON audit_log (key_id, audit_id);

SELECT key_id, role, label, key_hash, created_at, last_used_at, revoked_at, scopes, expires_at FROM api_keys WHERE 1 = 0;
SELECT audit_id, at, key_id, method, route, target, request_id, address, status FROM audit_log WHERE 1 = 0;
