-- What operators note about players, for other operators. Times are milliseconds since 1970 in UTC. `note_id` is unique
-- among the notes of its player: a note that is sent again is written once. `author` is the id of an API key.

CREATE TABLE IF NOT EXISTS player_notes (
  player_id VARCHAR(64) NOT NULL,
  note_id VARCHAR(64) NOT NULL,
  author VARCHAR(64) NOT NULL,
  created_at BIGINT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (player_id, note_id)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

SELECT player_id, note_id, author, created_at, text FROM player_notes WHERE 1 = 0;
