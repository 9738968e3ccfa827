-- +goose Up
ALTER TABLE repository ADD COLUMN keep_versions int NOT NULL DEFAULT 0; -- how many; 0 for all

-- The number of the version before it, which it is compared to; 0 for none.
ALTER TABLE version ADD COLUMN base int NOT NULL DEFAULT 0;
UPDATE version SET base = number - 1;

-- When versions were made that were deleted since, as long as a unit has been
-- there since one of them: its file was last modified then.
CREATE TABLE deleted_version(
  repository_id bigint NOT NULL REFERENCES repository(id) ON DELETE CASCADE,
  number int NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY(repository_id, number)
);

-- What distributions served, and when. The publication may be deleted since.
CREATE TABLE served(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  distribution_id bigint NOT NULL REFERENCES distribution(id) ON DELETE CASCADE,
  publication_id bigint NOT NULL,
  since bigint NOT NULL,
  until bigint,                         -- null while it is served
  undone boolean NOT NULL DEFAULT FALSE -- a rollback went back to what was served before
);
CREATE INDEX served_by_distribution ON served(distribution_id, since, id);
CREATE INDEX served_by_publication ON served(publication_id);
CREATE UNIQUE INDEX served_now ON served(distribution_id) WHERE until IS NULL;

INSERT INTO served(distribution_id, publication_id, since)
SELECT d.id, p.id, max(d.updated_at, p.created_at)
FROM distribution d LEFT JOIN repository r ON r.id = d.repository_id
JOIN publication p ON p.id = COALESCE(d.publication_id, r.newest_publication_id)
ORDER BY d.id;
