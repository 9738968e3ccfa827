package catalog

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"ream/access"
	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/task"
)

// UploadLimits are the settings of uploads. Zero values stand for the defaults.
type UploadLimits struct {
	Size int64         // bytes that one may have; as many as any file if 0
	Kept time.Duration // how long one is kept after something came of it; a day
	Part int64         // after how many bytes what has come is safe from a crash; 32 MiB
}

func (l UploadLimits) kept() time.Duration {
	if l.Kept <= 0 {
		return 24 * time.Hour
	}
	return l.Kept
}

// most is how many bytes an upload may have.
func (l UploadLimits) most() int64 {
	if l.Size <= 0 {
		return content.MaxSize
	}
	return min(l.Size, content.MaxSize)
}

func (l UploadLimits) part() int64 {
	if l.Part <= 0 {
		return 32 << 20
	}
	return l.Part
}

// ErrTooLarge is that an upload has more bytes than it may have.
var ErrTooLarge = errors.New("the upload is too large")

// ErrWrongDigest is that what came has not the digest that the client gave.
var ErrWrongDigest = errors.New("the digest is wrong")

// UploadInput is what a new upload needs.
type UploadInput struct {
	Name     string
	Metadata string         // as the header Upload-Metadata of tus gave it
	Size     int64          // bytes
	SHA256   content.Digest // that they are going to have; empty if the client does not say
}

// CreateUpload begins an upload, which is the caller's own.
func (c *Catalog) CreateUpload(ctx context.Context, in UploadInput) (*content.Upload, error) {
	switch {
	case in.Size < 0:
		return nil, fault.Input("size", "want how many bytes there are going to be")
	case in.Size > c.Uploads.most():
		tooLarge := fault.Wrap(ErrTooLarge, fault.BadInput, "the upload has %d bytes: at most %d are allowed", in.Size, c.Uploads.most())
		tooLarge.Field = "size"
		return nil, tooLarge
	case len(in.Name) > content.MaxPath:
		return nil, fault.Input("name", "it has more than %d bytes", content.MaxPath)
	}
	if err := c.DB.Room(); err != nil {
		return nil, err
	}
	u := &content.Upload{Owner: access.CallerOf(ctx).String(), Name: in.Name, Metadata: in.Metadata, Size: in.Size, Wanted: in.SHA256,
		ExpiresAt: c.DB.Now().Add(c.Uploads.kept())}
	h := sha256.New()
	if err := came(u, h, 0); err != nil {
		return nil, err
	}
	return change(ctx, c, func(tx *db.Tx) (*content.Upload, error) { return u, tx.CreateUpload(ctx, u) })
}

// came notes that more has come of an upload, and what the hash of all is by now.
// It fails with ErrWrongDigest if all has come, and is not what it should be.
func came(u *content.Upload, h hash.Hash, n int64) (err error) {
	u.Received += n
	if u.HashState, err = h.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		return fmt.Errorf("keep the state of a hash: %w", err)
	}
	if u.Received < u.Size {
		return nil
	}
	u.SHA256 = content.Digest(hex.EncodeToString(h.Sum(nil)))
	if u.Wanted != "" && u.SHA256 != u.Wanted {
		wrong := fault.Wrap(ErrWrongDigest, fault.BadInput, "the bytes have the SHA-256 %s, not %s", u.SHA256, u.Wanted)
		wrong.Field = "sha256"
		return wrong
	}
	return nil
}

// Upload returns an upload of the caller's.
func (c *Catalog) Upload(ctx context.Context, id content.UploadID) (*content.Upload, error) {
	u, err := one(c.DB.UploadsByID(ctx, access.CallerOf(ctx).String(), []content.UploadID{id}))
	if err == nil && !u.Used && !u.ExpiresAt.After(c.DB.Now()) {
		err = errMissing
	}
	return u, missing(err, id)
}

// DropUpload ends an upload of the caller's that no unfinished task needs, and
// returns what it was.
func (c *Catalog) DropUpload(ctx context.Context, id content.UploadID) (*content.Upload, error) {
	u, err := c.Upload(ctx, id)
	if err != nil {
		return nil, err
	}
	return change(ctx, c, func(tx *db.Tx) (*content.Upload, error) {
		if err := tx.FreeUploads(ctx, u.Owner, []content.UploadID{id}); err != nil {
			return nil, err
		}
		return u, tx.DropUpload(ctx, id)
	})
}

// Receive takes what comes of an upload of the caller's from an offset on, and
// returns what it is then. Part after part becomes safe from a crash; what came
// last does so when there is no more, also when reading fails. check, which may
// be nil, is called at the end with all that came: if it fails, nothing of that
// is kept. Receive fails with fault.Conflict if the offset is not where the upload
// is, with ErrTooLarge if more comes than the upload was to have, and with
// ErrWrongDigest, upon which the upload is ended, if its bytes are others than
// was said.
func (c *Catalog) Receive(ctx context.Context, id content.UploadID, offset int64, from io.Reader, check func() error) (*content.Upload, error) {
	u, err := c.Upload(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case u.Used:
		return nil, fault.New(fault.Conflict, "%s is used by a task already", u.ID)
	case u.Received != offset:
		return nil, fault.New(fault.Conflict, "%s is at %d, not at %d", u.ID, u.Received, offset)
	}
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.HashState); err != nil {
		return nil, fmt.Errorf("go on with the hash of %s: %w", u.ID, err)
	}
	most := c.Uploads.part()
	if check != nil {
		most = u.Size // all or nothing
	}
	come := &coming{Reader: from, room: c.DB.Room}
	for more := true; more; {
		if more, err = c.receivePart(ctx, u, h, come, most, check); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// coming is what comes from a client, as long as there is room for it. It
// remembers why that ended, if it was not for want of room.
type coming struct {
	io.Reader
	room func() error
	err  error
}

func (c *coming) Read(p []byte) (n int, err error) {
	if err := c.room(); err != nil {
		return 0, err
	}
	n, c.err = c.Reader.Read(p)
	return n, c.err
}

// receivePart takes a part of up to most bytes, makes it safe, and reports
// whether more may come.
func (c *Catalog) receivePart(ctx context.Context, u *content.Upload, h hash.Hash, from *coming, most int64, check func() error) (more bool, err error) {
	w, err := c.Blobs.Create()
	if err != nil {
		return false, err
	}
	defer w.Abort()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(from, min(most, u.Size-u.Received)))
	if err != nil && (err != from.err || check != nil) {
		return false, err
	}
	broken := err
	if broken == nil && u.Received+n == u.Size {
		if extra, _ := io.ReadFull(from, make([]byte, 1)); extra > 0 {
			return false, fault.Wrap(ErrTooLarge, fault.BadInput, "more came than the %d bytes that %s was to have", u.Size, u.ID)
		}
	}
	if check != nil {
		if err := check(); err != nil {
			return false, err
		}
	}
	if n == 0 {
		return false, broken
	}
	// Also if the client is gone: what has come need not come again.
	ctx = context.WithoutCancel(ctx)
	if err := came(u, h, n); err != nil {
		if !errors.Is(err, ErrWrongDigest) {
			return false, err
		}
		return false, errors.Join(err, c.DB.InTx(ctx, func(tx *db.Tx) error { return tx.DropUpload(ctx, u.ID) }))
	}
	if err := c.keepPart(ctx, u, w); err != nil {
		return false, err
	}
	return from.err == nil && u.Received < u.Size, broken
}

// ReceiveFile takes a file that comes in one piece, however many bytes it has, as
// an upload of the caller's. It fails with ErrTooLarge if it has too many.
func (c *Catalog) ReceiveFile(ctx context.Context, name string, from io.Reader) (*content.Upload, error) {
	if len(name) > content.MaxPath {
		name = "" // it is of use to nobody
	}
	w, err := c.Blobs.Create()
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	from = &coming{Reader: from, room: c.DB.Room}
	if c.Uploads.Size > 0 {
		from = io.LimitReader(from, c.Uploads.Size+1)
	}
	n, err := io.Copy(w, from)
	switch {
	case err != nil:
		return nil, err
	case c.Uploads.Size > 0 && n > c.Uploads.Size:
		return nil, fault.Wrap(ErrTooLarge, fault.BadInput, "a file has more than %d bytes, which is all that is allowed", c.Uploads.Size)
	}
	u := &content.Upload{Owner: access.CallerOf(ctx).String(), Name: name, Size: n, Received: n, SHA256: content.Digest(w.SHA256())}
	if err := c.DB.InTx(ctx, func(tx *db.Tx) error { u.ExpiresAt = tx.Now().Add(c.Uploads.kept()); return tx.CreateUpload(ctx, u) }); err != nil {
		return nil, err
	}
	return u, c.keepPart(ctx, u, w)
}

// AbandonFiles ends uploads that came to no task.
func (c *Catalog) AbandonFiles(ctx context.Context, ids []content.UploadID) error {
	return c.DB.InTx(ctx, func(tx *db.Tx) error {
		for _, id := range ids {
			if err := tx.DropUpload(ctx, id); err != nil && !fault.Is(err, fault.Conflict) {
				return err
			}
		}
		return nil
	})
}

// keepPart makes a part of an upload durable and records it.
func (c *Catalog) keepPart(ctx context.Context, u *content.Upload, w *blob.Writer) error {
	staged, err := w.Finish()
	if err != nil {
		return err
	}
	defer c.Blobs.Discard(staged)
	if err := c.Blobs.Commit(ctx, []blob.Staged{staged}); err != nil {
		return err
	}
	part := content.Artifact{SHA256: content.Digest(staged.SHA256), Size: staged.Size}
	u.ExpiresAt = c.DB.Now().Add(c.Uploads.kept())
	return c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.AddArtifacts(ctx, []content.Artifact{part}); err != nil {
			return err
		}
		return tx.AppendUpload(ctx, u, part)
	})
}

// purgeUploads forgets uploads that have expired.
func (c *Catalog) purgeUploads(ctx context.Context, run *task.Run) error {
	for purged := int64(0); ; {
		n, err := c.DB.PurgeUploads(ctx, purgeBatch)
		if purged += int64(n); purged > 0 {
			run.Progress.Report("purge.uploads", "Deleting uploads that have expired", task.Items, purged, purged)
		}
		if err != nil || n < purgeBatch {
			return err
		}
	}
}
