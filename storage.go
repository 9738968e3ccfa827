package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

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
	Identify(ctx context.Context, id string) (string, error)
	Close() error
}

// redirecter returns an address where clients can get bytes by themselves.
type redirecter = func(ctx context.Context, sha256, contentType string) (string, error)

// openStorage opens what --storage names, and checks that it can be used, has the
// artifacts of the database, and belongs to that alone. The redirecter is nil
// unless clients may be sent to the storage.
func openStorage(ctx context.Context, o options, store *db.DB) (storage, redirecter, error) {
	var named []content.Artifact // that are to be there
	var unmade error             // if there is no storage yet; nil if one may be made
	if !o.lost {
		known, err := store.StorageIdentity(ctx)
		if err == nil {
			named, err = store.SomeArtifacts(ctx)
		}
		switch {
		case err != nil:
			return nil, nil, errors.New(shown(err))
		case len(named) > 0:
			unmade = errAnotherStorage
		case known.Settled:
			unmade = errElsewhere
		}
	}
	s, redirect, err := openAnyStorage(ctx, o, unmade)
	if err != nil {
		return nil, nil, err
	}
	if len(named) > 0 {
		err = checkStorage(ctx, s, store, named)
	}
	if err == nil {
		err = tie(ctx, o, s, store)
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, redirect, nil
}

// openAnyStorage opens a storage, whatever is in it. It fails with unmade instead of
// making a directory, unless that is nil: one that is known to have been used is away.
func openAnyStorage(ctx context.Context, o options, unmade error) (storage, redirecter, error) {
	if !strings.Contains(o.storage, "://") {
		if unmade != nil && !blob.IsDisk(o.storage) {
			return nil, nil, unmade
		}
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

var errAnotherStorage = errors.New("--storage: it has none of the artifacts that the database names: mount its file system, or name the right one; " +
	"if they are lost, start with --storage-lost until ream verify has fetched them again")

// checkStorage fails if the storage has none of some artifacts that the database
// names: then it is another one, such as the empty directory where a file system
// was not mounted, and its server would take everything for lost.
func checkStorage(ctx context.Context, storage storage, store *db.DB, named []content.Artifact) error {
	digests := make([]content.Digest, len(named))
	for i, a := range named {
		if err := begin(ctx, storage, a); !fault.Is(err, fault.NotFound) {
			return nil // it is there, or nothing is known
		}
		digests[i] = a.SHA256
	}
	switch still, err := store.FindArtifacts(ctx, digests); {
	case err != nil:
		return errors.New(shown(err))
	case len(still) == 0: // they were just cleaned
		return nil
	}
	return errAnotherStorage
}

// begin reads the first byte of an artifact.
func begin(ctx context.Context, storage storage, a content.Artifact) error {
	bytes, err := storage.Open(ctx, string(a.SHA256), a.Size)
	if err != nil {
		return err
	}
	defer bytes.Close()
	_, err = bytes.Read(make([]byte, 1))
	return err
}
