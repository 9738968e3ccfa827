package db

import (
	"context"
	"time"
)

// Now is the clock by which the database records times.
func (q *queries) Now() time.Time { return q.now() }

// Try runs f as a part of the transaction that may fail alone: if f returns an
// error, what it changed is undone, and the transaction can go on. Only an
// error that is fault.Unavailable must be returned to InTx, which then starts
// the transaction anew or gives it up.
func (tx *Tx) Try(ctx context.Context, f func() error) error {
	if _, err := tx.exec(ctx, `SAVEPOINT attempt`); err != nil {
		return err
	}
	if err := f(); err != nil {
		// Subscribers may be told of changes that are undone here. They read
		// anew and find none.
		// Released as well, lest it hide one around it.
		for _, undo := range []string{`ROLLBACK TO SAVEPOINT attempt`, `RELEASE SAVEPOINT attempt`} {
			if _, lost := tx.exec(ctx, undo); lost != nil {
				return tx.d.classify(lost)
			}
		}
		return tx.d.classify(err)
	}
	_, err := tx.exec(ctx, `RELEASE SAVEPOINT attempt`)
	return err
}
