package db

import (
	"context"
	"time"

	"ream/fault"
)

// answersKept is how long a key is remembered.
const answersKept = 24 * time.Hour

// Answered returns what was answered to a request with this key in the last
// 24 hours, or nothing. It returns a Conflict if that was another request.
// Until the transaction ends, nobody else can use the key.
func (tx *Tx) Answered(ctx context.Context, key, request string) (string, error) {
	if err := tx.alone(ctx, "idempotency "+key); err != nil {
		return "", err
	}
	if _, err := tx.exec(ctx, `DELETE FROM idempotency WHERE created_at < ?`, micros(tx.now().Add(-answersKept))); err != nil {
		return "", err
	}
	var row struct {
		Request string `db:"request"`
		Answer  string `db:"answer"`
	}
	ok, err := tx.found(ctx, &row, `SELECT request, answer FROM idempotency WHERE key = ?`, key)
	if ok && row.Request != request {
		return "", fault.New(fault.Conflict, "the idempotency key was used for another request: use a new one")
	}
	return row.Answer, err
}

// Answer remembers what was answered to a request with this key.
func (tx *Tx) Answer(ctx context.Context, key, request, answer string) error {
	_, err := tx.exec(ctx, `INSERT INTO idempotency(key, request, answer, created_at) VALUES (?, ?, ?, ?)`, key, request, answer, micros(tx.now()))
	return err
}
