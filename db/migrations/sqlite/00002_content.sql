-- +goose Up
CREATE TABLE remote(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name text NOT NULL UNIQUE,
  url text NOT NULL,
  policy text NOT NULL,
  connections int NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);

CREATE TABLE repository(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name text NOT NULL UNIQUE,
  format text NOT NULL,
  remote_id bigint REFERENCES remote(id),
  latest_version_id bigint,
  newest_publication_id bigint,
  synced_fingerprint text,    -- of upstream and settings at the last sync
  synced_version_id bigint,   -- the version that sync led to
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE INDEX repository_by_remote ON repository(remote_id);

CREATE TABLE repository_label(
  repository_id bigint NOT NULL REFERENCES repository(id) ON DELETE CASCADE,
  key text NOT NULL,
  value text NOT NULL,
  PRIMARY KEY(repository_id, key)
);
CREATE INDEX repository_label_by_key ON repository_label(key, value);

CREATE TABLE version(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository_id bigint NOT NULL REFERENCES repository(id) ON DELETE CASCADE,
  number int NOT NULL,
  units bigint NOT NULL,
  bytes bigint NOT NULL,
  added bigint NOT NULL,
  removed bigint NOT NULL,
  created_at bigint NOT NULL,
  UNIQUE(repository_id, number)
);

CREATE TABLE artifact(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sha256 text NOT NULL UNIQUE,
  size bigint NOT NULL,
  created_at bigint NOT NULL
);

CREATE TABLE unit(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  format text NOT NULL,
  path text NOT NULL,
  sha256 text NOT NULL,
  size bigint NOT NULL,
  UNIQUE(format, path, sha256)
);

-- Which units a repository has from one version to another: a version is the
-- rows with added <= number and (removed is null or removed > number). The
-- path is the unit's: it is unique within a version, and orders its units.
CREATE TABLE membership(
  repository_id bigint NOT NULL REFERENCES repository(id) ON DELETE CASCADE,
  path text NOT NULL,
  unit_id bigint NOT NULL REFERENCES unit(id),
  added int NOT NULL,
  removed int,
  PRIMARY KEY(repository_id, path, added)
) WITHOUT ROWID;
CREATE INDEX membership_added ON membership(repository_id, added, path, unit_id);
CREATE INDEX membership_removed ON membership(repository_id, removed, path, unit_id) WHERE removed IS NOT NULL;

CREATE TABLE publication(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository_id bigint NOT NULL REFERENCES repository(id) ON DELETE CASCADE,
  version_id bigint NOT NULL REFERENCES version(id),
  files bigint NOT NULL,
  bytes bigint NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX publication_by_repository ON publication(repository_id, id);
CREATE INDEX publication_by_version ON publication(version_id, id);

-- Paths have tabs for slashes, which sort below all that a name may hold: so
-- the names in a directory, and what is below each, lie in the names' order.
CREATE TABLE published_file(
  publication_id bigint NOT NULL REFERENCES publication(id) ON DELETE CASCADE,
  path text NOT NULL,
  sha256 text NOT NULL,
  size bigint NOT NULL,
  modified_at bigint NOT NULL,
  PRIMARY KEY(publication_id, path)
) WITHOUT ROWID;

CREATE TABLE distribution(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path text NOT NULL UNIQUE,
  repository_id bigint REFERENCES repository(id),
  publication_id bigint REFERENCES publication(id),
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CHECK ((repository_id IS NULL) <> (publication_id IS NULL))
);
CREATE INDEX distribution_by_repository ON distribution(repository_id);
CREATE INDEX distribution_by_publication ON distribution(publication_id);
