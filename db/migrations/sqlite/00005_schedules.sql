-- +goose Up
CREATE TABLE schedule(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name text NOT NULL UNIQUE,
  cron text NOT NULL,
  time_zone text NOT NULL,
  operation text NOT NULL, -- {"sync": …}, {"publish": …}, {"mirror": …} or {"purge": …}
  paused boolean NOT NULL,
  next_at bigint,          -- null while paused
  last_at bigint,
  last_work text,          -- task-12 or group-7; it may be purged
  last_error text,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE INDEX schedule_due ON schedule(next_at, id) WHERE next_at IS NOT NULL;

-- Tomorrow for the first time: a new database has no history yet.
INSERT INTO schedule(name, cron, time_zone, operation, paused, next_at, created_at, updated_at)
SELECT 'purge history', '30 3 * * *', 'UTC', '{"purge":{"olderThanDays":30,"priority":"LOW"}}', FALSE,
  unixepoch('now', 'start of day', '+1 day', '+3 hours', '+30 minutes') * 1000000, created, created
FROM (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS created) AS moment;
