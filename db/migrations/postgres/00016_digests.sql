-- +goose Up
-- Digests are compared byte by byte: by a language, as databases mostly sort, that takes longer and tells nothing more.
ALTER TABLE artifact ALTER COLUMN sha256 TYPE text COLLATE "C";
ALTER TABLE unit ALTER COLUMN format TYPE text COLLATE "C", ALTER COLUMN sha256 TYPE text COLLATE "C";
ALTER TABLE published_file ALTER COLUMN sha256 TYPE text COLLATE "C";
ALTER TABLE artifact_source ALTER COLUMN sha256 TYPE text COLLATE "C", ALTER COLUMN path TYPE text COLLATE "C";
ALTER TABLE fetch_lease ALTER COLUMN sha256 TYPE text COLLATE "C";
ALTER TABLE upload_part ALTER COLUMN sha256 TYPE text COLLATE "C";
