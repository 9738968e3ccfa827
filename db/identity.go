package db

import "context"

// StorageIdentity says which storage belongs to the database. Its zero value is
// that of a database that was never used with any.
type StorageIdentity struct {
	ID string `db:"id"`
	// Settled says that the storage is known to have the identity. Before, it
	// may be on its way there.
	Settled bool `db:"settled"`
}

// StorageIdentity returns which storage belongs to the database.
func (q *queries) StorageIdentity(ctx context.Context) (StorageIdentity, error) {
	var i StorageIdentity
	_, err := q.found(ctx, &i, `SELECT id, settled FROM storage_identity`)
	return i, err
}

// HoldStorageIdentity is StorageIdentity that nobody else changes before the
// transaction ends, nor reads in this way.
func (tx *Tx) HoldStorageIdentity(ctx context.Context) (StorageIdentity, error) {
	if err := tx.alone(ctx, "storage identity"); err != nil {
		return StorageIdentity{}, err
	}
	return tx.StorageIdentity(ctx)
}

// SetStorageIdentity records which storage belongs to the database. The caller
// holds the identity.
func (tx *Tx) SetStorageIdentity(ctx context.Context, i StorageIdentity) error {
	if _, err := tx.exec(ctx, `DELETE FROM storage_identity`); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO storage_identity(id, settled) VALUES (?, ?)`, i.ID, i.Settled)
	return err
}

// NamesArtifacts reports whether the database names any artifact at all.
func (q *queries) NamesArtifacts(ctx context.Context) (bool, error) {
	var any bool
	err := q.get(ctx, &any, `SELECT EXISTS(SELECT 1 FROM artifact)`)
	return any, q.d.classify(err)
}
