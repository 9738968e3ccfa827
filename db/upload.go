package db

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"ream/content"
	"ream/fault"
	"ream/page"
	"ream/task"
)

type uploadRow struct {
	ID        content.UploadID `db:"id"`
	Owner     string           `db:"owner"`
	Name      string           `db:"name"`
	Metadata  string           `db:"metadata"`
	Size      int64            `db:"size"`
	Received  int64            `db:"received"`
	HashState string           `db:"hash_state"`
	Wanted    *content.Digest  `db:"wanted_sha256"`
	SHA256    *content.Digest  `db:"sha256"`
	Used      bool             `db:"used"`
	Path      *string          `db:"path"`
	Created   int64            `db:"created_at"`
	Expires   int64            `db:"expires_at"`
}

const (
	uploadColumns = `id, owner, name, metadata, size, received, hash_state, wanted_sha256, sha256, ` + uploadUsed + ` AS used, path, created_at, expires_at`
	// Of a task that ended otherwise than with a version of them, uploads are free
	// again: its batch holds them for a retry, until somebody else needs one.
	uploadUsed = `(batch IS NOT NULL AND EXISTS (SELECT 1 FROM task_queue q WHERE q.task_id = upload.task_id))`
)

func (r uploadRow) item() (content.UploadID, *content.Upload) {
	state, _ := base64.StdEncoding.DecodeString(r.HashState) // whoever goes on with it finds out
	return r.ID, &content.Upload{ID: r.ID, Owner: r.Owner, Name: r.Name, Metadata: r.Metadata, Size: r.Size, Received: r.Received, HashState: state,
		Wanted: deref(r.Wanted), SHA256: deref(r.SHA256), Used: r.Used, Path: deref(r.Path), CreatedAt: fromMicros(r.Created), ExpiresAt: fromMicros(r.Expires)}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// CreateUpload records an upload of which nothing has come yet, and fills in
// its ID and when it was created.
func (tx *Tx) CreateUpload(ctx context.Context, u *content.Upload) error {
	now := micros(tx.now())
	u.CreatedAt = fromMicros(now)
	return tx.get(ctx, &u.ID, `INSERT INTO upload(owner, name, metadata, size, received, hash_state, wanted_sha256, sha256, created_at, expires_at)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?) RETURNING id`, u.Owner, u.Name, u.Metadata, u.Size, base64.StdEncoding.EncodeToString(u.HashState),
		orNull(u.Wanted), orNull(u.SHA256), now, micros(u.ExpiresAt))
}

// UploadsByID returns those uploads of an owner, in the order of the ids, nil
// where there is none.
func (q *queries) UploadsByID(ctx context.Context, owner string, ids []content.UploadID) ([]*content.Upload, error) {
	var rows []uploadRow
	if err := q.sel(ctx, &rows, `SELECT `+uploadColumns+` FROM upload WHERE owner = ? AND `+q.d.in("id"), owner, list(q.d, ids)); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, uploadRow.item), nil
}

// Uploads returns a page of the uploads of an owner that have not expired, and
// that no unfinished task needs, oldest first.
func (q *queries) Uploads(ctx context.Context, owner string, req page.Request) (*page.Of[*content.Upload], error) {
	l := listing{columns: uploadColumns, from: "upload", key: "id"}
	l.and(`owner = ? AND NOT `+uploadUsed+` AND expires_at > ?`, owner, micros(q.now()))
	return paged(ctx, q, l, req, uploadRow.item)
}

// AppendUpload records a part of an upload, whose artifact is recorded, with
// what is now known of all that has come: where the part ends, and the state of
// the hash. It fails with fault.Conflict if the part does not begin where the
// ones before end.
func (tx *Tx) AppendUpload(ctx context.Context, u *content.Upload, part content.Artifact) error {
	start := u.Received - part.Size
	n, err := tx.exec(ctx, `UPDATE upload SET received = ?, hash_state = ?, sha256 = ?, expires_at = ? WHERE id = ? AND received = ? AND batch IS NULL`,
		u.Received, base64.StdEncoding.EncodeToString(u.HashState), orNull(u.SHA256), micros(u.ExpiresAt), u.ID, start)
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "%s went on elsewhere meanwhile, or was ended: look how much has come", u.ID)
	}
	if err != nil || part.Size == 0 {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO upload_part(upload_id, start, sha256, size) VALUES (?, ?, ?, ?)`, u.ID, start, part.SHA256, part.Size)
	return err
}

// FreeUploads takes those uploads of an owner out of their batches that no
// unfinished task needs.
func (tx *Tx) FreeUploads(ctx context.Context, owner string, ids []content.UploadID) error {
	of := `owner = ? AND batch IS NOT NULL AND ` + tx.d.in("id")
	if err := tx.lockUploads(ctx, of, owner, list(tx.d, ids)); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `UPDATE upload SET batch = NULL, path = NULL, task_id = NULL WHERE `+of+` AND NOT `+uploadUsed, owner, list(tx.d, ids))
	return err
}

// lockUploads locks some uploads, in the order in which everybody does. A task
// that needs them is then seen by the next statement.
func (tx *Tx) lockUploads(ctx context.Context, where string, args ...any) error {
	if tx.d.forUpdate == "" {
		return nil
	}
	_, err := tx.exec(ctx, `SELECT 1 FROM upload WHERE `+where+` ORDER BY id`+tx.d.forUpdate, args...)
	return err
}

// DropUpload forgets an upload that is in no batch.
// It fails with fault.Conflict otherwise, also if there is none.
func (tx *Tx) DropUpload(ctx context.Context, id content.UploadID) error {
	n, err := tx.exec(ctx, `DELETE FROM upload WHERE id = ? AND batch IS NULL`, id)
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "%s is used by a task already, or was ended", id)
	}
	return err
}

// JoinUploads puts uploads of which all has come into a batch, each with the
// path that it goes to. It fails with fault.Conflict if one of them is in a batch
// already.
func (tx *Tx) JoinUploads(ctx context.Context, uploads []*content.Upload, batch content.UploadID) error {
	type row struct {
		ID   content.UploadID `json:"id"`
		Path string           `json:"path"`
	}
	rows := make([]row, len(uploads))
	for i, u := range uploads {
		rows[i] = row{u.ID, u.Path}
	}
	slices.SortFunc(rows, func(a, b row) int { return int(a.ID - b.ID) }) // everybody locks them in this order
	for chunk := range slices.Chunk(rows, bulk) {
		n, err := tx.exec(ctx, `UPDATE upload SET batch = ?, path = x.path FROM `+tx.d.rows("x", "id bigint", "path text")+`
			WHERE upload.id = x.id AND upload.batch IS NULL AND upload.sha256 IS NOT NULL`, batch, encode(chunk))
		if err == nil && n != len(chunk) {
			err = fault.New(fault.Conflict, "some of the uploads are used by a task already, or were ended")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// SetUploadTask says which task needs the uploads of a batch, but for those that
// another unfinished one needs, and returns how many these are. They are not
// purged before a time.
func (tx *Tx) SetUploadTask(ctx context.Context, batch content.UploadID, id task.ID, expires time.Time) (int, error) {
	if err := tx.lockUploads(ctx, `batch = ?`, batch); err != nil {
		return 0, err
	}
	return tx.exec(ctx, `UPDATE upload SET task_id = ?, expires_at = ? WHERE batch = ? AND (task_id = ? OR NOT `+uploadUsed+`)`, id, micros(expires), batch, id)
}

// UploadBatch returns the uploads of a batch, in order.
func (q *queries) UploadBatch(ctx context.Context, batch content.UploadID) ([]*content.Upload, error) {
	var rows []uploadRow
	if err := q.sel(ctx, &rows, `SELECT `+uploadColumns+` FROM upload WHERE batch = ? ORDER BY id`, batch); err != nil {
		return nil, err
	}
	return nodesOf(rows, uploadRow.item), nil
}

type uploadPartRow struct {
	Upload content.UploadID `db:"upload_id"`
	SHA256 content.Digest   `db:"sha256"`
	Size   int64            `db:"size"`
}

func (r uploadPartRow) item() (content.UploadID, content.Artifact) {
	return r.Upload, content.Artifact{SHA256: r.SHA256, Size: r.Size}
}

// UploadParts returns the parts of each upload, in order.
func (q *queries) UploadParts(ctx context.Context, ids []content.UploadID) ([][]content.Artifact, error) {
	var rows []uploadPartRow
	if err := q.sel(ctx, &rows, `SELECT upload_id, sha256, size FROM upload_part WHERE `+q.d.in("upload_id")+` ORDER BY upload_id, start`, list(q.d, ids)); err != nil {
		return nil, err
	}
	return grouped(ids, rows, uploadPartRow.item), nil
}

// DropBatch forgets the uploads of a batch.
func (tx *Tx) DropBatch(ctx context.Context, batch content.UploadID) error {
	_, err := tx.exec(ctx, `DELETE FROM upload WHERE batch = ?`, batch)
	return err
}

// PurgeUploads forgets up to limit uploads that have expired and that no
// unfinished task needs, and returns how many these were. Their bytes are then
// artifacts that nothing names.
func (db *DB) PurgeUploads(ctx context.Context, limit int) (n int, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		n, err = tx.exec(ctx, `DELETE FROM upload WHERE expires_at < ? AND id IN (SELECT u.id FROM upload u WHERE u.expires_at < ?
			AND NOT EXISTS (SELECT 1 FROM task_queue q WHERE q.task_id = u.task_id) ORDER BY u.expires_at LIMIT `+fmt.Sprint(limit)+`)`, micros(tx.now()), micros(tx.now()))
		return err
	})
	return n, err
}
