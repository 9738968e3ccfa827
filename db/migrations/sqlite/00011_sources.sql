-- +goose Up
-- Where bytes can be got that syncs did not fetch: a path below the directory
-- of a remote's metadata.
CREATE TABLE artifact_source(
  sha256 text NOT NULL,
  remote_id bigint NOT NULL REFERENCES remote(id) ON DELETE CASCADE,
  path text NOT NULL,
  PRIMARY KEY(sha256, remote_id, path)
) WITHOUT ROWID;
CREATE INDEX artifact_source_by_remote ON artifact_source(remote_id);

-- Who fetches bytes that clients wait for, and until when nobody else does.
CREATE TABLE fetch_lease(
  sha256 text PRIMARY KEY,
  holder text NOT NULL,
  until bigint NOT NULL
);
