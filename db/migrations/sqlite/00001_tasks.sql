-- +goose Up
-- The last numbers given out: never given again, even after a purge.
CREATE TABLE sequence(name text PRIMARY KEY, last bigint NOT NULL);
INSERT INTO sequence VALUES ('task', 0), ('task_group', 0);

-- Times are microseconds since 1970 in UTC. Priorities: 1 high, 2 normal, 3 low.

CREATE TABLE task_group(
  id bigint PRIMARY KEY,
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
  canceled_at bigint,
  created_at bigint NOT NULL,
  started_at bigint,
  finished_at bigint
);

-- The whole history. A row is written when the task is queued and once more
-- when it finishes; what changes in between is in task_queue.
CREATE TABLE task(
  id bigint PRIMARY KEY,
  kind text NOT NULL,
  name text NOT NULL,
  priority smallint NOT NULL,
  position bigint NOT NULL,
  parent_id bigint,
  group_id bigint,
  args text NOT NULL,
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
CREATE INDEX task_unsuccessful ON task(outcome, id) WHERE outcome IN ('FAILED', 'CANCELED', 'SKIPPED');

-- The unfinished tasks: small and hot.
CREATE TABLE task_queue(
  task_id bigint PRIMARY KEY,
  group_id bigint,
  priority smallint NOT NULL,
  position bigint NOT NULL,
  blocked_by int NOT NULL DEFAULT 0, -- reservations not granted and tasks not completed
  worker_id bigint,
  attempt int NOT NULL DEFAULT 0,
  dedupe text,
  created_at bigint NOT NULL,
  started_at bigint,
  canceled_at bigint
);
CREATE INDEX task_queue_ready ON task_queue(priority, position, task_id) WHERE blocked_by = 0 AND worker_id IS NULL;
CREATE INDEX task_queue_by_worker ON task_queue(worker_id, task_id) WHERE worker_id IS NOT NULL;
CREATE INDEX task_queue_by_group ON task_queue(group_id, task_id) WHERE group_id IS NOT NULL;
CREATE INDEX task_queue_by_dedupe ON task_queue(dedupe) WHERE dedupe IS NOT NULL;

CREATE TABLE task_after(
  task_id bigint NOT NULL,
  after_id bigint NOT NULL,
  PRIMARY KEY(after_id, task_id)
);
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
);
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
);

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
