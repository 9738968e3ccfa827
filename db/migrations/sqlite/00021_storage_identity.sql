-- +goose Up
-- The storage that belongs to the database, of which there is one row at most. It is settled once the storage has the identity as well.
CREATE TABLE storage_identity(
  id text NOT NULL,
  settled boolean NOT NULL
);
