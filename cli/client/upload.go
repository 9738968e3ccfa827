package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Upload is a file that is sent by tus, as the server knows it.
type Upload struct {
	ID       string // upload-12
	Received int64  // how many bytes have come
}

// UploadError is why the server takes no more of an upload.
type UploadError struct {
	Status  int // of HTTP
	Message string
}

func (e *UploadError) Error() string { return e.Message }

const uploadsPath = "/api/v1/uploads"

// CreateUpload begins an upload of a file, with its first bytes, or all of them,
// unless first is nil. It blocks until these have come.
func (c *Client) CreateUpload(ctx context.Context, name string, size int64, sha256 string, first io.Reader) (Upload, error) {
	header := http.Header{}
	header.Set("Upload-Length", strconv.FormatInt(size, 10))
	header.Set("Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(name))+",sha256 "+base64.StdEncoding.EncodeToString([]byte(sha256)))
	got, err := c.tus(ctx, http.MethodPost, uploadsPath, header, first)
	if err != nil {
		return Upload{}, err
	}
	location, err := url.Parse(got.Get("Location"))
	if err != nil || len(location.Path) <= len(uploadsPath)+1 {
		return Upload{}, fmt.Errorf("%s does not answer as a Ream server: check --server", c.URL(uploadsPath))
	}
	u := Upload{ID: location.Path[len(uploadsPath)+1:]}
	return u, u.read(got)
}

// FindUpload asks how much of an upload has come.
func (c *Client) FindUpload(ctx context.Context, id string) (Upload, error) {
	u := Upload{ID: id}
	got, err := c.tus(ctx, http.MethodHead, uploadsPath+"/"+id, http.Header{}, nil)
	if err != nil {
		return u, err
	}
	return u, u.read(got)
}

// ResumeUpload sends what follows of an upload. It blocks until that has come.
func (c *Client) ResumeUpload(ctx context.Context, u Upload, rest io.Reader) (Upload, error) {
	header := http.Header{}
	header.Set("Upload-Offset", strconv.FormatInt(u.Received, 10))
	got, err := c.tus(ctx, http.MethodPatch, uploadsPath+"/"+u.ID, header, rest)
	if err != nil {
		return u, err
	}
	return u, u.read(got)
}

func (u *Upload) read(h http.Header) (err error) {
	if u.Received, err = strconv.ParseInt(h.Get("Upload-Offset"), 10, 64); err != nil {
		return fmt.Errorf("the server does not say how much of %s has come", u.ID)
	}
	return nil
}

// tus sends a request of the protocol. A body may take any time.
func (c *Client) tus(ctx context.Context, method, path string, header http.Header, body io.Reader) (http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.URL(path), body)
	if err != nil {
		return nil, err
	}
	r.Header = header
	header.Set("Tus-Resumable", "1.0.0")
	if body != nil {
		header.Set("Content-Type", "application/offset+octet-stream")
	}
	if c.token != "" {
		header.Set("Authorization", c.authorization())
	}
	sender := http.Client{Transport: c.http.Transport}
	if body == nil {
		sender.Timeout = requestTimeout
	}
	got, err := sender.Do(r)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer got.Body.Close()
	if got.StatusCode < 300 {
		return got.Header, nil
	}
	refused := &UploadError{Status: got.StatusCode, Message: c.URL(path) + " answered " + got.Status}
	var problem struct{ Detail string }
	if json.NewDecoder(io.LimitReader(got.Body, maxAnswer)).Decode(&problem) == nil && problem.Detail != "" {
		refused.Message = problem.Detail
	}
	return nil, refused
}
