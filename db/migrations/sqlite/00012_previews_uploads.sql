-- +goose Up
-- What syncs would have done at the time when that was asked for. The row is written last: without it, the changes are not complete.
CREATE TABLE task_preview(
  task_id bigint PRIMARY KEY,
  added bigint NOT NULL,
  removed bigint NOT NULL,
  replaced bigint NOT NULL,
  unchanged bigint NOT NULL,
  fetch_files bigint NOT NULL,
  fetch_bytes bigint NOT NULL
);

CREATE TABLE task_preview_change(
  task_id bigint NOT NULL,
  path text NOT NULL,
  kind text NOT NULL,
  sha256_before text,
  size_before bigint,
  sha256_after text,
  size_after bigint,
  fetches boolean NOT NULL,
  PRIMARY KEY(task_id, path)
) WITHOUT ROWID;

-- Files that clients send. Their bytes are artifacts, of which each holds a part.
CREATE TABLE upload(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner text NOT NULL,               -- whose it is
  name text NOT NULL,                -- as the client calls it
  metadata text NOT NULL,            -- as the header Upload-Metadata of tus gave it
  size bigint NOT NULL,
  received bigint NOT NULL,          -- how much has come
  hash_state text NOT NULL,          -- of the SHA-256 of what has come, in Base64
  wanted_sha256 text,                -- what the client says that it is going to be
  sha256 text,                       -- once all has come
  batch bigint,                      -- of the uploads that come into one version; null before that is asked for
  path text,                       -- where it goes to
  task_id bigint,                    -- that makes the version
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX upload_by_owner ON upload(owner, id);
CREATE INDEX upload_by_batch ON upload(batch, id) WHERE batch IS NOT NULL;
CREATE INDEX upload_by_expiry ON upload(expires_at);

CREATE TABLE upload_part(
  upload_id bigint NOT NULL REFERENCES upload(id) ON DELETE CASCADE,
  start bigint NOT NULL,
  sha256 text NOT NULL,
  size bigint NOT NULL,
  PRIMARY KEY(upload_id, start)
) WITHOUT ROWID;
CREATE INDEX upload_part_by_sha256 ON upload_part(sha256);
