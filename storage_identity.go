package main

import (
	"context"
	"crypto/rand"
	"errors"

	"ream/db"
)

const wrongStorage = "ream clean would delete its files, as this database does not name them: name the right --data or --database, or an empty --storage; " +
	"if the storage is to belong to this database, and to no other, start once with --adopt-storage"

var (
	errOthersStorage   = errors.New("--storage: it belongs to another database: " + wrongStorage)
	errStrangersInIt   = errors.New("--storage: it has files, and the database names none, as one that is new or was not copied as a whole: " + wrongStorage)
	errElsewhere       = errors.New("--storage: it is not the one that the database is used with, which other processes may still use: name that one, or mount its file system; if it is lost, or another one is to take its place, start once with --storage-lost")
	errIdentityChanged = errors.New("--storage: another process is starting with it and another database: give each database a storage of its own")
)

// tie makes sure that the storage belongs to the database, and to no other, and
// records that in both. Processes that start at once take turns.
//
// The database has the identity before the storage does, but not settled: whoever
// is killed in between leaves nothing that would be refused, and whoever finds it
// settled knows that there is a storage which has it.
func tie(ctx context.Context, o options, s storage, store *db.DB) error {
	known, err := store.StorageIdentity(ctx)
	if err != nil {
		return errors.New(shown(err))
	}
	id, err := common(ctx, o, s, store, known)
	if err != nil {
		return err
	}
	if known.ID == "" {
		if err := store.InTx(ctx, func(tx *db.Tx) error {
			if known, err := tx.HoldStorageIdentity(ctx); err != nil || known.ID != "" {
				return err
			}
			return tx.SetStorageIdentity(ctx, db.StorageIdentity{ID: id})
		}); err != nil {
			return errors.New(shown(err))
		}
	}
	var refused error
	if err := store.InTx(ctx, func(tx *db.Tx) error {
		refused = nil
		known, err := tx.HoldStorageIdentity(ctx)
		if err != nil {
			return err
		}
		if id, refused = common(ctx, o, s, store, known); refused != nil {
			return nil
		}
		has, err := s.Identify(ctx, id)
		if err != nil {
			refused = errors.New(shown(err))
			return nil
		}
		switch settled := (db.StorageIdentity{ID: id, Settled: true}); {
		case has == "": // there is no room for it now
			return nil
		case has != id:
			refused = errIdentityChanged
			return nil
		case known == settled:
			return nil
		default:
			return tx.SetStorageIdentity(ctx, settled)
		}
	}); err != nil {
		return errors.New(shown(err))
	}
	return refused
}

// common is the identity that the storage and the database are to have in common.
// It fails if the storage is another database's, or may be.
func common(ctx context.Context, o options, s storage, store *db.DB, known db.StorageIdentity) (string, error) {
	has, err := s.Identity(ctx)
	switch {
	case err != nil:
		return "", errors.New(shown(err))
	case has != "" && has != known.ID && !o.adopt:
		return "", errOthersStorage
	case has != "":
		return has, nil
	}
	// What is in it tells whose it is.
	if !o.adopt {
		if err := checkStrangers(ctx, s, store); err != nil {
			return "", err
		}
		if known.Settled && !o.lost {
			if err := checkProven(ctx, s, store); err != nil {
				return "", err
			}
		}
	}
	if known.ID != "" {
		return known.ID, nil
	}
	return rand.Text(), nil
}

// checkStrangers fails if the storage has blobs and the database names none at all.
func checkStrangers(ctx context.Context, s storage, store *db.DB) error {
	switch names, err := store.NamesArtifacts(ctx); {
	case err != nil:
		return errors.New(shown(err))
	case names:
		return nil
	}
	for _, err := range s.Stored(ctx, "") {
		if err != nil {
			return errors.New(shown(err))
		}
		return errStrangersInIt
	}
	return nil
}

// checkProven fails unless the storage has artifacts that the database names.
func checkProven(ctx context.Context, s storage, store *db.DB) error {
	named, err := store.SomeArtifacts(ctx)
	if err != nil {
		return errors.New(shown(err))
	}
	if len(named) == 0 {
		return errElsewhere
	}
	return checkStorage(ctx, s, store, named)
}
