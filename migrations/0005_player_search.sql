-- What players are found by: the beginning of their name, whatever its case. Servers of older versions leave it empty for
-- players that they make.

ALTER TABLE players ADD COLUMN name_folded VARCHAR(255) NOT NULL DEFAULT '';
UPDATE players SET name_folded = LOWER(name);
CREATE INDEX players_name_folded ON players (name_folded, player_id);

SELECT player_id, name_folded FROM players WHERE 1 = 0;
