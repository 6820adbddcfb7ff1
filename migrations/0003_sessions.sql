-- What opens a player's session beside the password, and what ends all sessions of a player: one whose epoch is behind
-- the player's is not valid any more, whatever Redis says.

ALTER TABLE players ADD COLUMN sessions_epoch BIGINT NOT NULL DEFAULT 0;

-- The secret itself is not stored. Times are milliseconds since 1970 in UTC.
CREATE TABLE IF NOT EXISTS player_devices (
  device_id VARCHAR(64) NOT NULL PRIMARY KEY,
  player_id VARCHAR(64) NOT NULL,
  name VARCHAR(255) NOT NULL,
  secret_hash VARCHAR(255) NOT NULL,
  created_at BIGINT NOT NULL
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

CREATE INDEX player_devices_player ON player_devices (player_id);

SELECT device_id, player_id, name, secret_hash, created_at FROM player_devices WHERE 1 = 0;
