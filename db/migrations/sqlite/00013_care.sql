-- +goose Up
-- Which units have a digest, and who has a unit: by these it is found out what nobody needs any more.
CREATE INDEX unit_by_digest ON unit(sha256);
CREATE INDEX membership_by_unit ON membership(unit_id);

-- Whether a file is no unit's, but was written when the version was published.
ALTER TABLE published_file ADD COLUMN metadata boolean NOT NULL DEFAULT FALSE;
UPDATE published_file SET metadata = TRUE WHERE path = 'PULP_MANIFEST' AND publication_id IN (SELECT id FROM publication);
CREATE INDEX published_metadata ON published_file(sha256) WHERE metadata;

-- When an artifact's bytes were found damaged or missing; null once they are stored again.
ALTER TABLE artifact ADD COLUMN quarantined_at bigint;
CREATE INDEX artifact_quarantined ON artifact(quarantined_at) WHERE quarantined_at IS NOT NULL;

-- What verifications found, in the order in which they did.
CREATE TABLE task_finding(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id bigint NOT NULL,
  path text NOT NULL,
  sha256 text NOT NULL,
  size bigint NOT NULL,
  problem text NOT NULL,
  remedy text NOT NULL,
  message text NOT NULL
);
CREATE INDEX task_finding_by_task ON task_finding(task_id, id);

-- What repositories take of the storage, and all together, as it was last counted.
CREATE TABLE storage_figure(
  repository_id bigint PRIMARY KEY REFERENCES repository(id) ON DELETE CASCADE,
  artifacts bigint NOT NULL,
  own_bytes bigint NOT NULL,
  shared_bytes bigint NOT NULL
);
CREATE TABLE storage_count(
  artifacts bigint NOT NULL,
  bytes bigint NOT NULL,
  orphaned_artifacts bigint NOT NULL,
  orphaned_bytes bigint NOT NULL,
  quarantined_artifacts bigint NOT NULL,
  state text NOT NULL,        -- of what was counted: whether it has changed since
  counted_at bigint NOT NULL,
  took bigint NOT NULL        -- microseconds
);
