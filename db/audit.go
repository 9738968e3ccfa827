package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ream/access"
	"ream/page"
)

type entryRow struct {
	ID        access.EntryID `db:"id"`
	At        int64          `db:"at"`
	Kind      access.Kind    `db:"kind"`
	Name      string         `db:"name"`
	Role      access.Role    `db:"role"`
	Labels    access.Limit   `db:"labels"`
	Token     access.TokenID `db:"token_id"`
	Address   string         `db:"address"`
	Operation string         `db:"operation"`
	Arguments string         `db:"arguments"`
	Results   string         `db:"results"`
	Code      string         `db:"code"`
}

const entryColumns = `id, at, kind, name, role, labels, COALESCE(token_id, 0) AS token_id, address, operation, arguments, results, code`

func (r entryRow) entry() (*access.Entry, error) {
	e := &access.Entry{ID: r.ID, At: fromMicros(r.At), Operation: r.Operation, Arguments: json.RawMessage(r.Arguments), Code: r.Code,
		Caller: access.Caller{Address: r.Address, Principal: access.Principal{Kind: r.Kind, Name: r.Name, Role: r.Role, Limit: r.Labels, TokenID: r.Token}}}
	if err := json.Unmarshal([]byte(r.Results), &e.Results); err != nil {
		return nil, fmt.Errorf("results of %s: %w", r.ID, err)
	}
	return e, nil
}

func entries(rows []entryRow) ([]*access.Entry, error) {
	found := make([]*access.Entry, len(rows))
	for i, r := range rows {
		var err error
		if found[i], err = r.entry(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Entries returns a page of the entries of the audit log that the filter
// selects, newest first. One whose transaction takes longer than that of a
// later one appears after it: nobody waits for anybody to be recorded.
func (q *queries) Entries(ctx context.Context, f access.EntryFilter, req page.Request) (*page.Of[*access.Entry], error) {
	l := listing{columns: entryColumns, from: "audit_entry", key: "id", newest: true}
	l.narrow(q.unlimited())
	if f.Name != "" {
		l.and(`name = ?`, f.Name)
	}
	if f.Operation != "" {
		l.and(`operation = ?`, f.Operation)
	}
	if f.Failed {
		l.and(`code <> 'OK'`)
	}
	if !f.Since.IsZero() {
		l.and(`at >= ?`, micros(f.Since))
	}
	if !f.Until.IsZero() {
		l.and(`at < ?`, micros(f.Until))
	}
	return pageOf(ctx, q, l, req, func(r entryRow) access.EntryID { return r.ID }, entries)
}

// EntriesByID returns entries of the audit log in the order of the ids, nil
// where there is none.
func (q *queries) EntriesByID(ctx context.Context, ids []access.EntryID) ([]*access.Entry, error) {
	var rows []entryRow
	if err := q.sel(ctx, &rows, `SELECT `+entryColumns+` FROM audit_entry WHERE `+q.d.in("id")+q.unlimited().sql, list(q.d, ids)); err != nil {
		return nil, err
	}
	found, err := entries(rows)
	if err != nil {
		return nil, err
	}
	return inOrder(ids, found, func(e *access.Entry) (access.EntryID, *access.Entry) { return e.ID, e }), nil
}

// Record adds an entry to the audit log, and fills in its ID and when. It
// belongs in the transaction that makes the change.
func (tx *Tx) Record(ctx context.Context, e *access.Entry) error {
	results := e.Results
	if results == nil {
		results = []string{}
	}
	now := micros(tx.now())
	e.At = fromMicros(now)
	return tx.get(ctx, &e.ID, `INSERT INTO audit_entry(at, kind, name, role, labels, token_id, address, operation, arguments, results, code)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, now, e.Kind, e.Name, e.Role, e.Limit, orNull(e.TokenID), e.Address, e.Operation,
		string(e.Arguments), encode(results), e.Code)
}

// entriesPurged is how many entries one transaction of a purge deletes.
const entriesPurged = 1000

// PurgeEntries deletes the entries of the audit log that are older than a time,
// and returns how many they were.
func (db *DB) PurgeEntries(ctx context.Context, before time.Time) (purged int, err error) {
	for {
		var n int
		err := db.InTx(ctx, func(tx *Tx) (err error) {
			n, err = tx.exec(ctx, `DELETE FROM audit_entry WHERE id IN (SELECT id FROM audit_entry WHERE at < ? ORDER BY at LIMIT ?)`, micros(before), entriesPurged)
			return err
		})
		purged += n
		if err != nil || n < entriesPurged {
			return purged, err
		}
	}
}
