-- +goose Up
ALTER TABLE task ADD COLUMN trace text; -- the span within which it was queued, as a W3C traceparent; null without
