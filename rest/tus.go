package rest

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the protocol has it, against faults of the network
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/fault"
)

// Uploads take what clients send by tus, the protocol for uploads that can be
// resumed: https://tus.io/protocols/resumable-upload.
type Uploads interface {
	CreateUpload(context.Context, catalog.UploadInput) (*content.Upload, error)
	Upload(context.Context, content.UploadID) (*content.Upload, error)
	Receive(ctx context.Context, id content.UploadID, offset int64, from io.Reader, check func() error) (*content.Upload, error)
	DropUpload(context.Context, content.UploadID) (*content.Upload, error)
}

const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,termination,expiration,checksum"
	mediaOffset   = "application/offset+octet-stream"

	statusWrongChecksum = 460 // of the protocol's checksum extension
	statusClientGone    = 499 // counts requests whose clients went away, as nginx does

	maxMetadata = 4 << 10 // bytes of the header
)

// checksums are the algorithms of the checksum extension.
var checksums = map[string]func() hash.Hash{"sha256": sha256.New, "sha1": sha1.New}

// uploads answers what is done with all uploads, or with none in particular.
func (h *Handler) uploads(w http.ResponseWriter, r *http.Request) {
	h.tus(w, r, Prefix+"uploads", map[string]answerer{http.MethodPost: h.createUpload})
}

// oneUpload answers what is done with an upload.
func (h *Handler) oneUpload(w http.ResponseWriter, r *http.Request) {
	h.tus(w, r, Prefix+"uploads/{id}", map[string]answerer{
		http.MethodHead: h.tellUpload, http.MethodPatch: h.resumeUpload, http.MethodDelete: h.endUpload,
	})
}

// tus answers a request of the protocol by its method.
func (h *Handler) tus(w http.ResponseWriter, r *http.Request, pattern string, methods map[string]answerer) {
	visitOf(r).route = pattern
	header := w.Header()
	header.Set("Tus-Resumable", tusVersion)
	method := r.Method
	if instead := r.Header.Get("X-HTTP-Method-Override"); instead != "" && method == http.MethodPost {
		method = instead
	}
	answer, known := methods[method]
	var err error
	switch {
	case method == http.MethodOptions:
		header.Set("Tus-Version", tusVersion)
		header.Set("Tus-Extension", tusExtensions)
		header.Set("Tus-Checksum-Algorithm", "sha256,sha1")
		if h.o.MaxUpload > 0 {
			header.Set("Tus-Max-Size", strconv.FormatInt(h.o.MaxUpload, 10))
		}
		w.WriteHeader(http.StatusNoContent)
		return
	case !known:
		allowed := []string{http.MethodOptions}
		for name := range methods {
			allowed = append(allowed, name)
		}
		slices.Sort(allowed)
		header.Set("Allow", strings.Join(allowed, ", "))
		err = refuse(http.StatusMethodNotAllowed, "%.20q is not done here", method)
	case r.Header.Get("Tus-Resumable") != tusVersion:
		header.Set("Tus-Version", tusVersion)
		err = refuse(http.StatusPreconditionFailed, "say which version of tus this is: Tus-Resumable: %s", tusVersion)
	default:
		if err = access.CallerOf(r.Context()).Check(access.Operator, true, "an upload"); err == nil {
			err = answer(w, r)
		}
	}
	if err != nil {
		h.fail(w, r, uploadRefusal(err))
	}
}

// uploadRefusal gives the statuses of the protocol to what failed.
func uploadRefusal(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	switch {
	case errors.Is(err, catalog.ErrTooLarge):
		return refusal{status: http.StatusRequestEntityTooLarge, fault: f}
	case errors.Is(err, catalog.ErrWrongDigest):
		return refusal{status: statusWrongChecksum, fault: f}
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return refusal{status: http.StatusInsufficientStorage, fault: f}
	}
	return err
}

// createUpload begins an upload, of which the first bytes may come with it.
func (h *Handler) createUpload(w http.ResponseWriter, r *http.Request) error {
	in, err := uploadInput(r)
	if err != nil {
		return err
	}
	first := r.Header.Get("Content-Type") == mediaOffset
	created, err := recorded(h, r, "createUpload", map[string]any{"name": in.Name, "size": in.Size, "sha256": string(in.SHA256)},
		func(ctx context.Context) (*content.Upload, error) { return h.catalog.CreateUpload(ctx, in) })
	if err != nil {
		return err
	}
	w.Header().Set("Location", Prefix+"uploads/"+created.NodeID())
	if first {
		if created, err = h.receive(w, r, created.ID, 0); err != nil {
			return err
		}
	}
	tell(w, created)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// recorded carries out what the audit log is to have.
func recorded(h *Handler, r *http.Request, name string, arguments map[string]any, f func(context.Context) (*content.Upload, error)) (*content.Upload, error) {
	ctx := access.WithAction(r.Context(), access.NewAction(name, arguments))
	done, err := f(ctx)
	if e := h.catalog.RecordOutcome(context.WithoutCancel(ctx), err); e != nil {
		h.o.Log.ErrorContext(ctx, "a mutation is not in the audit log", "operation", name, "outcome", fault.KindOf(err), "error", e)
	}
	return done, err
}

// uploadInput reads the headers of a request that begins an upload.
func uploadInput(r *http.Request) (in catalog.UploadInput, err error) {
	if r.Header.Get("Upload-Defer-Length") != "" {
		return in, fault.Input("Upload-Defer-Length", "the length must be known from the beginning: send Upload-Length")
	}
	if in.Size, err = natural(r, "Upload-Length"); err != nil {
		return in, err
	}
	in.Metadata = r.Header.Get("Upload-Metadata")
	if len(in.Metadata) > maxMetadata {
		return in, fault.Input("Upload-Metadata", "it has more than %d bytes", maxMetadata)
	}
	metadata, err := parseMetadata(in.Metadata)
	if err != nil {
		return in, err
	}
	in.Name = metadata["filename"]
	if text := metadata["sha256"]; text != "" {
		if in.SHA256, err = content.ParseDigest(text); err != nil {
			return in, fault.Input("Upload-Metadata", "sha256: %v", err)
		}
	}
	return in, nil
}

// parseMetadata reads pairs of a key and a value in Base64.
func parseMetadata(header string) (map[string]string, error) {
	metadata := map[string]string{}
	if header == "" {
		return metadata, nil
	}
	for pair := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		text, err := base64.StdEncoding.DecodeString(value)
		if key == "" || err != nil || strings.ContainsRune(string(text), 0) || string(text) != strings.ToValidUTF8(string(text), "") {
			return nil, fault.Input("Upload-Metadata", "want pairs of a key and a text in Base64, with commas between them")
		}
		metadata[key] = string(text)
	}
	return metadata, nil
}

// natural reads a header that holds a whole number of 0 or more.
func natural(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(r.Header.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0, fault.Input(name, "want a whole number of 0 or more")
	}
	return n, nil
}

func uploadID(r *http.Request) (content.UploadID, error) {
	id, err := content.ParseID[content.UploadID]("upload", r.PathValue("id"))
	if err != nil {
		return 0, fault.New(fault.NotFound, "there is no upload %.80q: ids look like upload-12", r.PathValue("id"))
	}
	return id, nil
}

// tellUpload tells how much of an upload has come.
func (h *Handler) tellUpload(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	u, err := h.catalog.Upload(r.Context(), id)
	if err != nil {
		return err
	}
	tell(w, u)
	w.Header().Set("Upload-Length", strconv.FormatInt(u.Size, 10))
	if u.Metadata != "" {
		w.Header().Set("Upload-Metadata", u.Metadata)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// tell sets the headers about an upload.
func tell(w http.ResponseWriter, u *content.Upload) {
	w.Header().Set("Upload-Offset", strconv.FormatInt(u.Received, 10))
	w.Header().Set("Upload-Expires", u.ExpiresAt.UTC().Format(http.TimeFormat))
}

// resumeUpload takes what comes of an upload.
func (h *Handler) resumeUpload(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	if r.Header.Get("Content-Type") != mediaOffset {
		return refuse(http.StatusUnsupportedMediaType, "send what comes with Content-Type: %s", mediaOffset)
	}
	offset, err := natural(r, "Upload-Offset")
	if err != nil {
		return err
	}
	u, err := h.receive(w, r, id, offset)
	if err != nil {
		return err
	}
	tell(w, u)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// receive takes the body of a request, with its checksum if it has one.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, id content.UploadID, offset int64) (*content.Upload, error) {
	body := h.patiently(w, r)
	defer body.end()
	var from io.Reader = body
	check, sum, err := readChecksum(r)
	if err != nil {
		return nil, err
	}
	if check != nil {
		from = io.TeeReader(body, sum)
	}
	u, err := h.catalog.Receive(r.Context(), id, offset, from, check)
	switch {
	case err == nil:
	case body.stopped():
		err = fault.New(fault.Unavailable, "the server is stopping: go on with the upload in a moment")
	case body.broken != nil && errors.Is(err, body.broken):
		h.o.Log.InfoContext(r.Context(), "an upload broke off", "path", r.URL.Path, "error", err)
		err = brokenOff(err)
	}
	return u, err
}

// brokenOff refuses what could not be read to its end: by the client's doing, or
// that of the network between.
func brokenOff(err error) error {
	status, message := statusClientGone, "the body could not be read to its end"
	if errors.Is(err, os.ErrDeadlineExceeded) {
		status, message = http.StatusRequestTimeout, "nothing came for too long"
	}
	return refusal{status: status, fault: fault.New(fault.Unavailable, "%s", message)}
}

// readChecksum reads the header Upload-Checksum. What it returns checks that the
// bytes that went into sum are those; both are nil without the header.
func readChecksum(r *http.Request) (check func() error, sum hash.Hash, err error) {
	const name = "Upload-Checksum"
	text := r.Header.Get(name)
	if text == "" {
		return nil, nil, nil
	}
	algorithm, value, _ := strings.Cut(text, " ")
	newHash, known := checksums[algorithm]
	if !known {
		return nil, nil, fault.Input(name, "want the algorithm sha256 or sha1, and the checksum in Base64")
	}
	want, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, nil, fault.Input(name, "want the checksum in Base64")
	}
	sum = newHash()
	return func() error {
		if !bytes.Equal(sum.Sum(nil), want) {
			return refusal{status: statusWrongChecksum, fault: fault.Input(name, "the bytes have another checksum: send them again")}
		}
		return nil
	}, sum, nil
}

// endUpload ends an upload.
func (h *Handler) endUpload(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	if _, err := recorded(h, r, "deleteUpload", map[string]any{"id": id.String()},
		func(ctx context.Context) (*content.Upload, error) { return h.catalog.DropUpload(ctx, id) }); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// uploadStall is for how long a client may send nothing.
const uploadStall = time.Minute

// patientBody is a body that may come for hours, if only something comes, and
// the server does not stop.
type patientBody struct {
	io.Reader
	connection *http.ResponseController
	left       chan struct{} // closed once nobody reads any more
	broken     error         // why no more could be read, if it was not the end

	mu   sync.Mutex
	over bool // the server stops
}

func (h *Handler) patiently(w http.ResponseWriter, r *http.Request) *patientBody {
	b := &patientBody{Reader: r.Body, connection: http.NewResponseController(w), left: make(chan struct{})}
	go func() {
		select {
		case <-h.ended:
			b.mu.Lock()
			defer b.mu.Unlock()
			b.over = true
			_ = b.connection.SetReadDeadline(time.Unix(1, 0))
		case <-b.left:
		}
	}()
	return b
}

func (b *patientBody) Read(p []byte) (int, error) {
	if !b.extend() {
		return 0, http.ErrServerClosed
	}
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		b.broken = err
	}
	return n, err
}

// extend lets the client send for a while longer. It is false if the server
// stops.
func (b *patientBody) extend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		_ = b.connection.SetReadDeadline(time.Now().Add(uploadStall)) // not all connections have one
	}
	return !b.over
}

func (b *patientBody) stopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

func (b *patientBody) end() {
	close(b.left)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		_ = b.connection.SetReadDeadline(time.Time{})
	}
}
