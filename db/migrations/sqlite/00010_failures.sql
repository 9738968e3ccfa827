-- +goose Up
-- What tasks could not do and went on without, in the order in which that was found out.
CREATE TABLE task_failure(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id bigint NOT NULL,
  path text NOT NULL,
  url text NOT NULL,
  code text NOT NULL,
  message text NOT NULL
);
CREATE INDEX task_failure_by_task ON task_failure(task_id, id);
