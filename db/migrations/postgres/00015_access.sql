-- +goose Up
-- Who may read what a distribution serves.
ALTER TABLE distribution ADD COLUMN access text NOT NULL DEFAULT 'SERVER';
