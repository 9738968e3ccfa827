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
