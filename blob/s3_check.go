package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"ream/fault"
)

// probes is where check stores what is no blob, below the prefix.
const probes = "probe/"

// checkLimit is how long check may take.
const checkLimit = 30 * time.Second

// check stores something, reads it and removes it.
func (s *S3) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, checkLimit, fault.New(fault.Unavailable, "the storage does not answer within %s", checkLimit))
	defer cancel()
	credentials, err := s.store.GetCreds()
	if err != nil || credentials.SignerType.IsAnonymous() {
		return errors.New("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put them into ~/.aws/credentials")
	}
	key := s.prefix + probes + rand.Text()
	body := []byte("Can this be stored?\n")
	sum := sha256.Sum256(body)
	if err := s.put(ctx, key, hex.EncodeToString(sum[:]), io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body)))); err != nil {
		return err
	}
	object, _, _, err := s.store.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return refused(ctx, "read a blob", err)
	}
	defer object.Close()
	got, err := io.ReadAll(object)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("it returned %q for %q", got, body)
	}
	for _, err := range s.Stored(ctx, "") {
		if err != nil {
			return err
		}
		break
	}
	_, err = s.removeKey(ctx, key, 0)
	return err
}

// cleanProbes removes what killed processes left of their checks, and nothing of
// others who call something a probe.
func (s *S3) cleanProbes(ctx context.Context, olderThan time.Duration) error {
	for info := range s.store.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + probes, Recursive: true}) {
		if info.Err != nil {
			return refused(ctx, "list probes", info.Err)
		}
		if !isText(strings.TrimPrefix(info.Key, s.prefix+probes)) {
			continue
		}
		if _, err := s.removeKey(ctx, info.Key, olderThan); err != nil {
			return err
		}
	}
	return nil
}
