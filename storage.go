package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"ream/blob"
	"ream/catalog"
	"ream/origin"
)

// storage is where the bytes of artifacts are.
type storage interface {
	catalog.Blobs
	origin.Blobs
	Clean(ctx context.Context, olderThan time.Duration) error
	Close() error
}

// redirecter returns an address where clients can get bytes by themselves.
type redirecter = func(ctx context.Context, sha256, contentType string) (string, error)

// openStorage opens what --storage names, and checks that it can be used. The
// redirecter is nil unless clients may be sent to the storage.
func openStorage(ctx context.Context, o options) (storage, redirecter, error) {
	if !strings.Contains(o.storage, "://") {
		d, err := blob.NewDisk(o.storage)
		return d, nil, err
	}
	where, err := blob.ParseS3(o.storage)
	if err != nil {
		return nil, nil, fmt.Errorf("--storage: %w", err)
	}
	where.Staging = filepath.Join(o.data, "staging")
	s, err := blob.NewS3(ctx, where)
	if err != nil || !where.Redirect {
		return s, nil, err
	}
	return s, s.Redirect, nil
}
