-- +goose Up
-- Upstreams may say different sizes of the same path and digest, which nothing proves before the bytes are there.
-- Each is a unit of its own, lest what one says be taken for what others did.
-- SQLite makes the table anew for that. Members are without their units in between, and IDs are not given out again.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE unit_before AS SELECT id, format, path, sha256, size FROM unit;
CREATE TABLE unit_sequence AS SELECT seq FROM sqlite_sequence WHERE name = 'unit';
DROP TABLE unit;
CREATE TABLE unit(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  format text NOT NULL,
  path text NOT NULL,
  sha256 text NOT NULL,
  size bigint NOT NULL,
  -- When it was recorded: what a sync has just brought is not cleaned before it makes its version. Of what was there before, it is not known.
  created_at bigint NOT NULL DEFAULT 0,
  UNIQUE(format, path, sha256, size)
);
INSERT INTO unit(id, format, path, sha256, size) SELECT id, format, path, sha256, size FROM unit_before ORDER BY id;
CREATE INDEX unit_by_digest ON unit(sha256);
DELETE FROM sqlite_sequence WHERE name = 'unit';
INSERT INTO sqlite_sequence(name, seq) SELECT 'unit', seq FROM unit_sequence;
DROP TABLE unit_before;
DROP TABLE unit_sequence;

-- Repositories may have a unit with the size that another's upstream said. Where the bytes do not prove that it is right, the next sync looks.
UPDATE repository SET synced_fingerprint = NULL WHERE id IN (
  SELECT m.repository_id FROM membership m JOIN unit u ON u.id = m.unit_id
  WHERE m.removed IS NULL AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = u.sha256 AND a.size = u.size));
