-- +goose Up
-- Who may read what a distribution serves.
ALTER TABLE distribution ADD COLUMN access text NOT NULL DEFAULT 'SERVER';

-- What versions name and is not fetched yet. It is counted anew.
ALTER TABLE storage_count ADD COLUMN unfetched_artifacts bigint NOT NULL DEFAULT 0;
ALTER TABLE storage_count ADD COLUMN unfetched_bytes bigint NOT NULL DEFAULT 0;
UPDATE storage_count SET state = '';
