-- +goose Up
-- Upstreams may say different sizes of the same path and digest, which nothing proves before the bytes are there.
-- Each is a unit of its own, lest what one says be taken for what others did.
ALTER TABLE unit DROP CONSTRAINT unit_format_path_sha256_key, ADD UNIQUE(format, path, sha256, size);

-- When it was recorded: what a sync has just brought is not cleaned before it makes its version. Of what was there before, it is not known.
ALTER TABLE unit ADD COLUMN created_at bigint NOT NULL DEFAULT 0;

-- Repositories may have a unit with the size that another's upstream said. Where the bytes do not prove that it is right, the next sync looks.
UPDATE repository SET synced_fingerprint = NULL WHERE id IN (
  SELECT m.repository_id FROM membership m JOIN unit u ON u.id = m.unit_id
  WHERE m.removed IS NULL AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = u.sha256 AND a.size = u.size));
