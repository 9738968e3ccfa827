-- +goose Up
-- Where the bytes of units can be got that syncs did not fetch: at the unit's
-- path below the directory of a remote's metadata. Rows are numbers alone, in the
-- order of the units, since a sync on demand writes one for each file. Nothing refers
-- to others by a key, which would be checked for each row: what deletes a unit or
-- a remote deletes them.
CREATE TABLE unit_source(
  unit_id bigint NOT NULL,
  remote_id bigint NOT NULL,
  PRIMARY KEY(unit_id, remote_id)
) WITHOUT ROWID;
INSERT INTO unit_source(unit_id, remote_id)
SELECT DISTINCT u.id, s.remote_id FROM artifact_source s JOIN unit u ON u.sha256 = s.sha256 AND u.path = s.path;
CREATE INDEX unit_source_by_remote ON unit_source(remote_id, unit_id);
DROP TABLE artifact_source;
