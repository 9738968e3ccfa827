-- +goose Up
-- The last numbers given out: never given again, even after a purge.
CREATE TABLE sequence(name text PRIMARY KEY, last bigint NOT NULL);
INSERT INTO sequence VALUES ('task', 0), ('task_group', 0);

-- Times are microseconds since 1970 in UTC. Priorities: 1 high, 2 normal, 3 low.

CREATE TABLE task_group(
  id INTEGER PRIMARY KEY,
  name text NOT NULL,
  waiting bigint NOT NULL DEFAULT 0,
  running bigint NOT NULL DEFAULT 0,
  completed bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  canceling bigint NOT NULL DEFAULT 0,
  canceled bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL DEFAULT 1,
  items_done bigint NOT NULL DEFAULT 0,
  items_total bigint NOT NULL DEFAULT 0,
  bytes_done bigint NOT NULL DEFAULT 0,
  bytes_total bigint NOT NULL DEFAULT 0,
  max_running int,                     -- how many members may run at once; null for no limit
  admitted int NOT NULL DEFAULT 0,     -- with a limit: unfinished members that passed the gate
  retry_of bigint,
  canceled_at bigint,
  created_at bigint NOT NULL,
  started_at bigint,
  finished_at bigint
);

CREATE INDEX task_group_by_retry ON task_group(retry_of, id) WHERE retry_of IS NOT NULL;
CREATE INDEX task_group_limited ON task_group(id) WHERE max_running IS NOT NULL AND finished_at IS NULL;

-- The whole history. A row is written when the task is queued and once more
-- when it finishes; what changes in between is in task_queue. Nothing that
-- changes then is in an index.
CREATE TABLE task(
  id INTEGER PRIMARY KEY,
  kind text NOT NULL,
  name text NOT NULL,
  priority smallint NOT NULL,
  position bigint NOT NULL,
  parent_id bigint,
  group_id bigint,
  args text NOT NULL,
  reserves text,    -- JSON: what it reserves, to be able to do it again; null for nothing
  after_tasks text, -- JSON: the tasks that it comes after; null for none
  retry_of bigint,
  outcome text, -- COMPLETED, FAILED, CANCELED or SKIPPED; null while unfinished
  error text,
  attempt int NOT NULL DEFAULT 0,
  worker_id bigint,
  created_at bigint NOT NULL,
  started_at bigint,
  finished_at bigint
);
CREATE INDEX task_by_group ON task(group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX task_by_parent ON task(parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_by_kind ON task(kind, id);
CREATE INDEX task_by_retry ON task(retry_of, id) WHERE retry_of IS NOT NULL;

-- The finished tasks that did not complete. They are found here, because an
-- index on task.outcome would have to be changed whenever a task ends.
CREATE TABLE task_unsuccessful(
  task_id INTEGER PRIMARY KEY,
  group_id bigint,
  outcome text NOT NULL
);
CREATE INDEX task_unsuccessful_by_outcome ON task_unsuccessful(outcome, task_id);
CREATE INDEX task_unsuccessful_by_group ON task_unsuccessful(group_id, task_id) WHERE group_id IS NOT NULL;

-- The unfinished tasks: small and hot.
CREATE TABLE task_queue(
  task_id INTEGER PRIMARY KEY,
  group_id bigint,
  kind text NOT NULL,
  priority smallint NOT NULL,
  position bigint NOT NULL,
  blocked_by int NOT NULL DEFAULT 0, -- reservations not granted, tasks not completed, and a closed gate
  gate smallint NOT NULL DEFAULT 0,  -- of a group with a limit: 1 closed, 2 passed; 0 without a limit
  worker_id bigint,
  attempt int NOT NULL DEFAULT 0,
  dedupe text,
  created_at bigint NOT NULL,
  started_at bigint,
  canceled_at bigint
);
CREATE INDEX task_queue_ready ON task_queue(kind, priority, position, task_id) WHERE blocked_by = 0 AND worker_id IS NULL;
CREATE INDEX task_queue_at_gate ON task_queue(group_id, priority, position, task_id) WHERE gate = 1 AND blocked_by = 1;
CREATE INDEX task_queue_admitted ON task_queue(group_id, position, task_id) WHERE gate = 2;
CREATE INDEX task_queue_canceled ON task_queue(worker_id, task_id) WHERE canceled_at IS NOT NULL;
CREATE INDEX task_queue_by_worker ON task_queue(worker_id, task_id) WHERE worker_id IS NOT NULL;
CREATE INDEX task_queue_by_group ON task_queue(group_id, task_id) WHERE group_id IS NOT NULL;
CREATE INDEX task_queue_by_dedupe ON task_queue(dedupe) WHERE dedupe IS NOT NULL;

CREATE TABLE task_after(
  task_id bigint NOT NULL,
  after_id bigint NOT NULL,
  PRIMARY KEY(after_id, task_id)
) WITHOUT ROWID;
CREATE INDEX task_after_by_task ON task_after(task_id);

CREATE TABLE resource(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name text NOT NULL UNIQUE,
  held int NOT NULL DEFAULT 0,   -- -1 held exclusively, 0 free, n shared holders
  waiting int NOT NULL DEFAULT 0 -- reservations not granted yet
);

CREATE TABLE reservation(
  task_id bigint NOT NULL,
  resource_id bigint NOT NULL,
  exclusive boolean NOT NULL,
  granted boolean NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY(task_id, resource_id)
) WITHOUT ROWID;
CREATE INDEX reservation_line ON reservation(resource_id, position, task_id) WHERE NOT granted;
CREATE INDEX reservation_line_exclusive ON reservation(resource_id, position, task_id) WHERE NOT granted AND exclusive;
CREATE INDEX reservation_granted ON reservation(resource_id, task_id) WHERE granted;

CREATE TABLE task_report(
  task_id bigint NOT NULL,
  code text NOT NULL,
  message text NOT NULL,
  done bigint NOT NULL,
  total bigint,
  unit text NOT NULL,
  started_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY(task_id, code)
) WITHOUT ROWID;

CREATE TABLE task_created(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id bigint NOT NULL,
  node_id text NOT NULL,
  UNIQUE(task_id, node_id)
);

-- The counts over everything are the sums over a few rows, so that
-- transactions seldom wait for each other here.
CREATE TABLE queue_counts(
  shard int PRIMARY KEY,
  waiting bigint NOT NULL DEFAULT 0,
  running bigint NOT NULL DEFAULT 0,
  completed bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  canceling bigint NOT NULL DEFAULT 0,
  canceled bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL DEFAULT 0
);
INSERT INTO queue_counts(shard) VALUES (0), (1), (2), (3), (4), (5), (6), (7);

-- What the counts over everything were, every few seconds: how fast work gets
-- done is the difference of two rows.
CREATE TABLE queue_sample(
  taken_at INTEGER PRIMARY KEY,
  waiting bigint NOT NULL,
  running bigint NOT NULL, -- those being canceled included
  completed bigint NOT NULL,
  failed bigint NOT NULL,
  canceled bigint NOT NULL,
  skipped bigint NOT NULL
);

CREATE TABLE worker(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  host text NOT NULL,
  pid int NOT NULL,
  version text NOT NULL,
  slots int NOT NULL,
  started_at bigint NOT NULL,
  heartbeat_at bigint NOT NULL, -- by the database's clock
  ended_at bigint -- stopped, or not heard of for the length of a lease
);

CREATE TABLE idempotency(
  key text PRIMARY KEY,
  request text NOT NULL, -- what was asked, to refuse the key for another request
  answer text NOT NULL,  -- task-12 or group-7
  created_at bigint NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency(created_at);
