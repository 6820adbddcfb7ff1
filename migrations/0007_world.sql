-- What the database belongs to. `world`: of the servers that use it (`server.world`; empty: the default world). Profiles,
-- levels and jobs carry no world, so the servers of another one would mix theirs with them.

CREATE TABLE IF NOT EXISTS installation (
  name VARCHAR(64) NOT NULL PRIMARY KEY,
  value VARCHAR(255) NOT NULL
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */;

SELECT name, value FROM installation WHERE 1 = 0;
