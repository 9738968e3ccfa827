-- +goose Up
-- Times are microseconds since 1970 in UTC.

CREATE TABLE access_token(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name text NOT NULL,
  hash text NOT NULL UNIQUE, -- SHA-256 of the secret, in hex
  role text NOT NULL,
  labels text NOT NULL,      -- the selector that repositories must fit; empty for all
  created_by text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  revoked_at bigint,
  last_used_at bigint
);
CREATE UNIQUE INDEX access_token_by_name ON access_token(name) WHERE revoked_at IS NULL;

CREATE TABLE audit_entry(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at bigint NOT NULL,
  kind text NOT NULL,        -- by what the principal was known
  name text NOT NULL,
  role text NOT NULL,
  labels text NOT NULL,
  token_id bigint,
  address text NOT NULL,
  operation text NOT NULL,
  arguments text NOT NULL,   -- JSON, without secrets
  results text NOT NULL,     -- JSON: the IDs of what was changed or made
  code text NOT NULL         -- OK, or the kind of fault
);
CREATE INDEX audit_entry_by_time ON audit_entry(at);
CREATE INDEX audit_entry_by_name ON audit_entry(name, id);
CREATE INDEX audit_entry_by_operation ON audit_entry(operation, id);
CREATE INDEX audit_entry_failed ON audit_entry(id) WHERE code <> 'OK';

-- Which repository a task is about: those who are limited to some repositories
-- see the tasks of these alone.
ALTER TABLE task ADD COLUMN repository_id bigint;
UPDATE task SET repository_id = json_extract(args, '$.repository') WHERE kind IN ('repository.sync', 'repository.publish', 'distribution.update');
CREATE INDEX task_by_repository ON task(repository_id, id) WHERE repository_id IS NOT NULL;

-- The selector by which somebody was limited who made a group without members.
ALTER TABLE task_group ADD COLUMN labels text;

-- Which repositories a group's members are about, 0 if some are about none.
CREATE TABLE task_group_repository(
  group_id bigint NOT NULL,
  repository_id bigint NOT NULL,
  PRIMARY KEY(group_id, repository_id)
) WITHOUT ROWID;
INSERT INTO task_group_repository SELECT DISTINCT group_id, COALESCE(repository_id, 0) FROM task WHERE group_id IS NOT NULL;
