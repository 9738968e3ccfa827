package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"ream/fault"
)

// look asks what is known of an object. It reports false if there is none; if
// the bucket is missing, that is an error.
func (s *S3) look(ctx context.Context, doing, key string) (info minio.ObjectInfo, found bool, err error) {
	info, err = s.store.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	if isMissing(err) {
		// The answer has no body, which alone would tell what is missing.
		var body io.ReadCloser
		if body, info, _, err = s.store.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{}); err == nil {
			body.Close() // it has come just now
		}
	}
	if isMissing(err) {
		return info, false, nil
	}
	if err != nil {
		return info, false, refused(ctx, doing, err)
	}
	return info, true, nil
}

// get asks for a part of a blob.
func (s *S3) get(ctx context.Context, sha256 string, size, offset, length int64) (io.ReadCloser, error) {
	var o minio.GetObjectOptions
	if err := o.SetRange(offset, offset+length-1); err != nil {
		return nil, err
	}
	body, info, header, err := s.store.GetObject(ctx, s.bucket, s.key(sha256), o)
	if isMissing(err) {
		return nil, missing(sha256)
	}
	if err != nil {
		return nil, refused(ctx, "read a blob", err)
	}
	_, total, isPart := strings.Cut(header.Get("Content-Range"), "/")
	if !isPart {
		total = header.Get("Content-Length") // the store sends the whole
	}
	if total != strconv.FormatInt(size, 10) || info.Size != length {
		body.Close()
		return nil, fmt.Errorf("blob %s: the store sends %d bytes of %s, not %d of %d", sha256, info.Size, total, length, size)
	}
	return body, nil
}

// The least and the most that one request asks for. It begins with little, as
// often only a part is wanted, and asks for more the more is read.
const (
	minRange = 1 << 20
	maxRange = 64 << 20
)

// object reads a blob range by range. What breaks off is asked for again.
type object struct {
	get  func(offset, length int64) (io.ReadCloser, error)
	size int64

	offset int64         // of the next Read
	body   io.ReadCloser // what comes from at on; nil if nothing was asked for
	at     int64
	end    int64 // where body ends
	length int64 // of the last range
	tries  int   // since the last byte
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.offset
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start of a blob")
	}
	o.offset = offset
	return offset, nil
}

// maxTries is how often a range is asked for that brings nothing.
const maxTries = 3

func (o *object) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if o.offset >= o.size {
		return 0, io.EOF
	}
	for {
		if err := o.ask(); err != nil {
			return 0, err
		}
		n, err := o.body.Read(p[:min(int64(len(p)), o.end-o.at)])
		o.at += int64(n)
		o.offset = o.at
		if o.at == o.end {
			o.drop()
		} else if err != nil {
			o.drop()
			o.tries++
		}
		if n > 0 {
			o.tries = 0
			return n, nil
		}
		if o.tries == maxTries {
			err = fmt.Errorf("read a blob: it breaks off after %d of %d bytes: %w", o.at, o.size, err)
			return 0, fault.Wrap(err, fault.Unavailable, "the storage cannot be reached: try again later")
		}
	}
}

// ask makes body the bytes from offset on.
func (o *object) ask() error {
	if o.body != nil && o.at == o.offset {
		return nil
	}
	o.drop()
	if o.at != o.offset {
		o.length = 0 // somewhere else: perhaps only a little is wanted again
	}
	o.length = min(max(4*o.length, minRange), maxRange)
	length := min(o.length, o.size-o.offset)
	body, err := o.get(o.offset, length)
	if err != nil {
		return err
	}
	o.body, o.at, o.end = body, o.offset, o.offset+length
	return nil
}

func (o *object) drop() {
	if o.body != nil {
		o.body.Close()
		o.body = nil
	}
}

// Close ends the reading.
func (o *object) Close() error {
	o.drop()
	return nil
}
