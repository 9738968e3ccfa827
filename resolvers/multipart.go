package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/graph"
)

// FileReceiver takes the files of multipart requests.
type FileReceiver interface {
	// ReceiveFile takes a file to its end, as an upload of the caller's.
	ReceiveFile(ctx context.Context, name string, from io.Reader) (*content.Upload, error)
	// AbandonFiles ends uploads that came to no task.
	AbandonFiles(context.Context, []content.UploadID) error
}

const (
	mediaMultipart = "multipart/form-data"
	maxFiles       = 10_000 // of one request
)

// preflights are headers that pages of other sites cannot send unless the server
// allowed that before; a multipart request alone they could.
var preflights = []string{"GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name"}

// readMultipart reads a request as the GraphQL multipart request specification
// has it: the request, the places of its files, and then these. They are received
// as they come, by those who may upload, and never held in memory.
func (o HTTPOptions) readMultipart(w http.ResponseWriter, r *http.Request, boundary string) (in incoming, refused *refusal) {
	if !slices.ContainsFunc(preflights, func(name string) bool { return r.Header.Get(name) != "" }) {
		return in, refuse(http.StatusForbidden, "a multipart request needs the header %s: 1, lest pages of other sites send it", preflights[0])
	}
	if err := access.CallerOf(r.Context()).Check(access.Operator, true, "a multipart request"); err != nil {
		return in, refusalOf(err)
	}
	m := multipartRequest{o: o, connection: http.NewResponseController(w), body: r.Body}
	m.from = multipart.NewReader(&m, boundary)
	defer func() { _ = m.connection.SetReadDeadline(time.Time{}) }()
	in, refused = m.read(r.Context())
	if refused != nil {
		o.abandon(r.Context(), in)
	}
	return in, refused
}

// abandon drops the files of a request that came to no task.
func (o HTTPOptions) abandon(ctx context.Context, in incoming) {
	if len(in.files) > 0 {
		_ = o.Files.AbandonFiles(context.WithoutCancel(ctx), in.files) // they expire by themselves
	}
}

// refusalOf refuses a request because of a fault.
func refusalOf(err error) *refusal {
	status := http.StatusBadRequest
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return refuse(http.StatusBadRequest, "the body could not be read to its end")
	}
	switch {
	case errors.Is(err, catalog.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		status = http.StatusInsufficientStorage
	case f.Kind == fault.Forbidden:
		status = http.StatusForbidden
	case f.Kind == fault.Unavailable:
		status = http.StatusServiceUnavailable
	}
	return &refusal{status: status, fault: f}
}

// multipartRequest is a multipart request that comes. It is also the reader of
// its body, which may take long as long as something comes.
type multipartRequest struct {
	o          HTTPOptions
	connection *http.ResponseController
	body       io.Reader
	from       *multipart.Reader
}

func (m *multipartRequest) Read(p []byte) (int, error) {
	_ = m.connection.SetReadDeadline(m.o.readUntil()) // not all connections have one
	return m.body.Read(p)
}

func (m *multipartRequest) read(ctx context.Context) (in incoming, refused *refusal) {
	operations, refused := m.field("operations")
	if refused != nil {
		return in, refused
	}
	if in, refused = m.o.parse(operations); refused != nil {
		return in, refused
	}
	if in.batch {
		return in, refuse(http.StatusBadRequest, "a multipart request is one request, not a list of some")
	}
	text, refused := m.field("map")
	if refused != nil {
		return in, refused
	}
	var places map[string][]string
	if json.Unmarshal(text, &places) != nil || places == nil {
		return in, refuse(http.StatusBadRequest, `the field "map" is no JSON object: send {"0": ["variables.input.files.0.file"]}`)
	}
	if len(places) > maxFiles {
		return in, refuse(http.StatusRequestEntityTooLarge, "the request has more than %d files", maxFiles)
	}
	for {
		part, err := m.from.NextPart()
		if errors.Is(err, io.EOF) && len(places) == 0 {
			return in, nil
		}
		if errors.Is(err, io.EOF) {
			return in, refuse(http.StatusBadRequest, "some of the files are missing that the field \"map\" names")
		}
		if err != nil {
			return in, m.broken(err)
		}
		paths, named := places[part.FormName()]
		if !named {
			return in, refuse(http.StatusBadRequest, "a file came that the field \"map\" does not name")
		}
		delete(places, part.FormName())
		if len(paths) != 1 {
			return in, refuse(http.StatusBadRequest, "want one place for each file in the field \"map\"")
		}
		u, err := m.o.Files.ReceiveFile(ctx, part.FileName(), part)
		if err != nil {
			return in, m.broken(err)
		}
		in.files = append(in.files, u.ID)
		if !place(in.requests[0].Variables, paths[0], graph.Upload{ID: u.ID, SHA256: u.SHA256}) {
			return in, refuse(http.StatusBadRequest, "the field \"map\" names a place where the variables have no null")
		}
	}
}

// field reads a field that comes next.
func (m *multipartRequest) field(name string) ([]byte, *refusal) {
	part, err := m.from.NextPart()
	if errors.Is(err, io.EOF) || err == nil && part.FormName() != name {
		return nil, refuse(http.StatusBadRequest, "want the fields operations and map, and then the files, in this order")
	}
	if err != nil {
		return nil, m.broken(err)
	}
	text, err := io.ReadAll(io.LimitReader(part, m.o.MaxBody))
	if err != nil {
		return nil, m.broken(err)
	}
	if rest, _ := io.Copy(io.Discard, io.LimitReader(part, 1)); rest > 0 {
		return nil, &refusal{status: http.StatusRequestEntityTooLarge,
			fault: over(fault.BadInput, "body", Bytes(m.o.MaxBody), "the field "+name+" is too large", "send less at once")}
	}
	return bytes.TrimSpace(text), nil
}

// broken refuses a request that could not be read.
func (m *multipartRequest) broken(err error) *refusal {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{status: http.StatusRequestTimeout,
			fault: over(fault.Unavailable, "duration", m.o.ReadTimeout, "nothing came for too long", "send it at once")}
	}
	return refusalOf(err)
}

// place puts a file into the place of a null: "variables.input.files.0.file".
func place(variables map[string]any, path string, file graph.Upload) bool {
	names := strings.Split(path, ".")
	if len(names) < 2 || names[0] != "variables" {
		return false
	}
	var at any = variables
	for i, name := range names[1:] {
		last := i == len(names)-2
		switch inside := at.(type) {
		case map[string]any:
			next, there := inside[name]
			if !there || last && next != nil {
				return false
			}
			if last {
				inside[name] = file
			}
			at = next
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(inside) || last && inside[n] != nil {
				return false
			}
			if last {
				inside[n] = file
			}
			at = inside[min(n, len(inside)-1)]
		default:
			return false
		}
	}
	return true
}
