package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"

	"ream/fault"
)

// identity is where a storage keeps the text that tells it from others.
const identity = "identity"

// maxIdentity is how long that may be.
const maxIdentity = 256

// parseIdentity is the text that a storage has. One that has a file without any, such
// as a broken disk leaves, must not pass for one that was never used.
func parseIdentity(text []byte) (string, error) {
	id := strings.TrimSpace(string(text))
	if id == "" || len(id) > maxIdentity {
		return "", fault.New(fault.Conflict, "the storage's %s is damaged: remove it, and start again", identity)
	}
	return id, nil
}

// readIdentity reads the text, and a little of what is too long to be one.
func readIdentity(from io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxIdentity+2))
	if err != nil {
		return "", err
	}
	return parseIdentity(text)
}

// Identity returns the text that tells this storage from others; it is empty if
// it has none. It is Unavailable if the whole storage is away.
func (d *Disk) Identity(context.Context) (string, error) {
	f, err := openRegular(filepath.Join(d.dir, identity), os.O_RDONLY, 0)
	if err != nil {
		if err = d.away(err); errors.Is(err, fs.ErrNotExist) && !fault.Is(err, fault.Unavailable) {
			return "", nil
		}
		return "", fmt.Errorf("read the storage's identity: %w", err)
	}
	defer f.Close()
	id, err := readIdentity(f)
	if err != nil {
		return "", fmt.Errorf("read the storage's identity: %w", err)
	}
	return id, nil
}

// Identify gives the storage an identity unless it has one, and returns the one
// that it has then: the same for all who do so at once. It is empty if the disk is
// too full to keep one.
func (d *Disk) Identify(ctx context.Context, id string) (string, error) {
	lock, err := d.lock(false)
	if isFull(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("identify the storage: %w", d.away(err))
	}
	defer lock.Close()
	if has, err := d.Identity(ctx); has != "" || err != nil {
		return has, err
	}
	made := filepath.Join(d.dir, identity+".new") // nobody else makes one under the lock
	err = writeFlushed(made, id+"\n")
	if err == nil {
		err = rename(made, filepath.Join(d.dir, identity))
	}
	if err != nil {
		err = errors.Join(err, gone(os.Remove(made)))
		if isFull(err) {
			return "", nil
		}
		return "", fmt.Errorf("identify the storage: %w", d.away(err))
	}
	if err := syncDir(d.dir); err != nil {
		return "", fmt.Errorf("identify the storage: %w", err)
	}
	return id, nil
}

// writeFlushed writes a file, in place of any that is there, down to the disk.
func writeFlushed(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Identity returns the text that tells this storage from others; it is empty if
// it has none.
func (s *S3) Identity(ctx context.Context) (string, error) {
	body, _, _, err := s.store.GetObject(ctx, s.bucket, s.prefix+identity, minio.GetObjectOptions{})
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", refused(ctx, "read the storage's identity", err)
	}
	defer body.Close()
	id, err := readIdentity(body)
	if err != nil {
		return "", fmt.Errorf("read the storage's identity: %w", err)
	}
	return id, nil
}

// Identify gives the storage an identity unless it has one, and returns the one
// that it has then. It is the same for all who do so at once, unless the store
// cannot write on a condition.
func (s *S3) Identify(ctx context.Context, id string) (string, error) {
	if has, err := s.Identity(ctx); has != "" || err != nil {
		return has, err
	}
	var unlessThere minio.PutObjectOptions
	unlessThere.SetMatchETagExcept("*")
	err := s.putIdentity(ctx, id, unlessThere)
	switch answer := minio.ToErrorResponse(err); {
	case err == nil:
	case answer.StatusCode == http.StatusPreconditionFailed, answer.StatusCode == http.StatusConflict: // somebody was faster
	case answer.StatusCode == http.StatusNotImplemented:
		if err := s.putIdentity(ctx, id, minio.PutObjectOptions{}); err != nil {
			return "", refused(ctx, "identify the storage", err)
		}
	default:
		return "", refused(ctx, "identify the storage", err)
	}
	has, err := s.Identity(ctx)
	if err == nil && has == "" {
		err = fault.New(fault.Unavailable, "the storage does not keep its identity: try again later")
	}
	return has, err
}

func (s *S3) putIdentity(ctx context.Context, id string, o minio.PutObjectOptions) error {
	text := []byte(id + "\n")
	sum := sha256.Sum256(text)
	o.DisableContentSha256 = true // the signature covers the digest, as with blobs
	_, err := s.store.PutObject(ctx, s.bucket, s.prefix+identity, bytes.NewReader(text), int64(len(text)), "", hex.EncodeToString(sum[:]), o)
	return err
}
