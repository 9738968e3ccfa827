package db

import (
	"context"
	"time"

	"ream/content"
)

// LeaseFetch makes holder the only one who fetches the bytes with a digest, for
// a time from now by the database's clock; who holds the lease already gets it
// for longer. It reports false if it is somebody else's.
func (db *DB) LeaseFetch(ctx context.Context, digest content.Digest, holder string, ttl time.Duration) (leased bool, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `INSERT INTO fetch_lease(sha256, holder, until) VALUES (?, ?, `+tx.d.clock+` + ?)
			ON CONFLICT (sha256) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE fetch_lease.holder = excluded.holder OR fetch_lease.until <= `+tx.d.clock, digest, holder, ttl.Microseconds())
		leased = n > 0
		return err
	})
	return leased, err
}

// KeepFetched records an artifact that was made durable, and ends the lease by
// which holder fetched it, if it still is.
func (db *DB) KeepFetched(ctx context.Context, a content.Artifact, holder string) error {
	return db.InTx(ctx, func(tx *Tx) error {
		if err := tx.AddArtifacts(ctx, []content.Artifact{a}); err != nil {
			return err
		}
		return tx.endLease(ctx, a.SHA256, holder)
	})
}

// EndLease gives a lease back. It does nothing if it is somebody else's.
func (db *DB) EndLease(ctx context.Context, digest content.Digest, holder string) error {
	return db.InTx(ctx, func(tx *Tx) error { return tx.endLease(ctx, digest, holder) })
}

func (tx *Tx) endLease(ctx context.Context, digest content.Digest, holder string) error {
	_, err := tx.exec(ctx, `DELETE FROM fetch_lease WHERE sha256 = ? AND holder = ?`, digest, holder)
	return err
}

// DropLeases ends all leases, for when whoever holds them is gone.
func (db *DB) DropLeases(ctx context.Context) error {
	return db.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `DELETE FROM fetch_lease`)
		return err
	})
}
