-- The tables the first features need. Times are milliseconds since 1970 in UTC. `version` counts changes (ETags).
-- What stands in /*! */ is read by MySQL and MariaDB and is a comment elsewhere. There, identifiers and texts compare
-- by their bytes, as they do in SQLite and PostgreSQL.

CREATE TABLE IF NOT EXISTS players (
  player_id VARCHAR(64) NOT NULL PRIMARY KEY,
  name VARCHAR(255) NOT NULL,
  email VARCHAR(254),
  password_hash VARCHAR(255),
  level INTEGER NOT NULL DEFAULT 1,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL DEFAULT 1
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

-- Not unique: accounts may share a mailbox, and a player is known by its id.
CREATE INDEX players_email ON players (email);

CREATE TABLE IF NOT EXISTS levels (
  level_id VARCHAR(64) NOT NULL PRIMARY KEY,
  name VARCHAR(255) NOT NULL,
  difficulty VARCHAR(64) NOT NULL DEFAULT 'Medium',
  description TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL DEFAULT 1
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

-- An existing game database brings its own, whose column types may differ; it is left alone.
CREATE TABLE IF NOT EXISTS constants (
  Name VARCHAR(64) NOT NULL PRIMARY KEY,
  Value DOUBLE PRECISION NOT NULL,
  Description VARCHAR(255) NOT NULL DEFAULT ''
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

CREATE TABLE IF NOT EXISTS api_keys (
  key_id VARCHAR(64) NOT NULL PRIMARY KEY,
  role VARCHAR(16) NOT NULL,
  label VARCHAR(255) NOT NULL,
  key_hash VARCHAR(255) NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT,
  revoked_at BIGINT
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

-- A table of the same name that another program made would pass unnoticed until the first request: these fail now.
SELECT player_id, name, email, password_hash, level, created_at, updated_at, version FROM players WHERE 1 = 0;
SELECT level_id, name, difficulty, description, created_at, updated_at, version FROM levels WHERE 1 = 0;
SELECT Name, Value, Description FROM constants WHERE 1 = 0;
SELECT key_id, role, label, key_hash, created_at, last_used_at, revoked_at FROM api_keys WHERE 1 = 0;
