package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"ream/blob"
	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/fault"
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

// checkStorage fails if the storage has none of the artifacts that the database
// names: then it is another one, such as the empty directory where a file system
// was not mounted, and its server would take everything for lost.
func checkStorage(ctx context.Context, storage storage, store *db.DB) error {
	named, err := store.SomeArtifacts(ctx, 5) // some may be lost
	if err != nil || len(named) == 0 {
		return err
	}
	for _, a := range named {
		if err := begin(ctx, storage, a); !fault.Is(err, fault.NotFound) {
			return nil // it is there, or nothing is known
		}
	}
	return errors.New("--storage: it has none of the artifacts that the database names: mount its file system, or name the right one; if they are lost, start with --storage-lost once, and let ream verify fetch them again")
}

// begin reads the first byte of an artifact.
func begin(ctx context.Context, storage storage, a content.Artifact) error {
	blob, err := storage.Open(ctx, string(a.SHA256), a.Size)
	if err != nil {
		return err
	}
	defer blob.Close()
	_, err = blob.Read(make([]byte, 1))
	return err
}
