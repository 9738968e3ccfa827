package db

import (
	"context"

	"ream/content"
	"ream/fault"
)

// ClaimKey records which key seals the secrets, by its id, when there is none
// yet or no secret is left that another one sealed. It fails with
// fault.Conflict if there are secrets of another key.
func (tx *Tx) ClaimKey(ctx context.Context, id string) error {
	if _, err := tx.exec(ctx, `INSERT INTO secret_key(one, id) VALUES (1, ?) ON CONFLICT (one) DO NOTHING`, id); err != nil {
		return err
	}
	var claimed string
	if _, err := tx.found(ctx, &claimed, `SELECT id FROM secret_key WHERE one = 1`+tx.d.forUpdate); err != nil || claimed == id {
		return err
	}
	var remote content.RemoteID
	switch used, err := tx.found(ctx, &remote, `SELECT id FROM remote WHERE secrets <> '{}' ORDER BY id LIMIT 1`); {
	case err != nil:
		return err
	case used:
		return fault.New(fault.Conflict, "the database holds secrets that were sealed with another key (%s, not %s)", claimed, id)
	}
	_, err := tx.exec(ctx, `UPDATE secret_key SET id = ? WHERE one = 1`, id)
	return err
}

// ForgetSecrets deletes the secrets of all remotes, and returns how many
// remotes had any.
func (tx *Tx) ForgetSecrets(ctx context.Context) (int, error) {
	return tx.exec(ctx, `UPDATE remote SET secrets = '{}', updated_at = ? WHERE secrets <> '{}'`, micros(tx.now()))
}
