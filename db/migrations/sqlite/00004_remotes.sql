-- +goose Up
-- Timeouts are seconds.
ALTER TABLE remote ADD COLUMN username text NOT NULL DEFAULT '';
ALTER TABLE remote ADD COLUMN ca_cert text NOT NULL DEFAULT '';
ALTER TABLE remote ADD COLUMN client_cert text NOT NULL DEFAULT '';
ALTER TABLE remote ADD COLUMN verify_tls boolean NOT NULL DEFAULT true;
ALTER TABLE remote ADD COLUMN proxy_url text NOT NULL DEFAULT '';
ALTER TABLE remote ADD COLUMN proxy_username text NOT NULL DEFAULT '';
ALTER TABLE remote ADD COLUMN insecure_redirects boolean NOT NULL DEFAULT false;
ALTER TABLE remote ADD COLUMN bytes_per_second bigint NOT NULL DEFAULT 0;
ALTER TABLE remote ADD COLUMN stall_timeout int NOT NULL DEFAULT 30;
ALTER TABLE remote ADD COLUMN total_timeout int NOT NULL DEFAULT 21600;
ALTER TABLE remote ADD COLUMN retries int NOT NULL DEFAULT 4;
-- Each secret by its name, sealed for this remote and this name, as JSON.
ALTER TABLE remote ADD COLUMN secrets text NOT NULL DEFAULT '{}';

-- The id of the key that seals the secrets: every process has to use the same.
CREATE TABLE secret_key(
  one int PRIMARY KEY CHECK (one = 1),
  id text NOT NULL
);
