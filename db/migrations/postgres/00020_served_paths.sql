-- +goose Up
-- At which path it was served. Of what was served before, it is known only where
-- the distribution is now.
ALTER TABLE served ADD COLUMN path text NOT NULL COLLATE "C" DEFAULT '';
UPDATE served SET path = d.path FROM distribution d WHERE d.id = served.distribution_id;

-- What was served at a path at a time, and since a time.
CREATE INDEX served_by_path ON served(path, since, id);
CREATE INDEX served_until ON served(path, until);
