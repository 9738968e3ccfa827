// Package origin serves published content by its path, to curl, apt-get, dnf
// and browsers: bytes by digest, with ranges, conditional requests and
// directory listings.
package origin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"ream/content"
	"ream/demand"
	"ream/fault"
)

// Prefix is where content lies on a server.
const Prefix = "/content/"

// Lookup finds out what a path means.
type Lookup interface {
	// Serving returns the distribution in whose tree a clean path lies, with what
	// it serves now. If there is none, it fails with fault.NotFound, and vacant is
	// a start of the path at and below which no distribution is, empty if there is
	// no such start.
	Serving(ctx context.Context, path string) (s *content.Serving, vacant string, err error)
	// AnyPublic reports whether a distribution is everybody's, content.Public.
	AnyPublic(context.Context) (bool, error)
	// ServedAt returns what was served at a path at a time, and the distribution
	// that served it, as it is now. It fails with fault.NotFound if that was
	// nothing, or is kept no longer.
	ServedAt(ctx context.Context, path string, at time.Time) (*content.Serving, error)
	// Replaced returns publications that were served at the path of a distribution
	// after a time but are no longer, newest first. Who may read the distribution
	// may read them, if they see their repositories.
	Replaced(ctx context.Context, s *content.Serving, since time.Time) ([]content.Predecessor, error)
	// PublishedFile returns the file at a path of a publication, or the
	// directory, and fault.NotFound if there is neither.
	PublishedFile(ctx context.Context, id content.PublicationID, path string) (*content.PublishedFile, error)
	// FirstFile returns the file at a path of the first of these publications that
	// has one there. It fails with fault.NotFound if none has.
	FirstFile(ctx context.Context, ids []content.PublicationID, path string) (*content.PublishedFile, error)
	// PublishedDir returns up to limit names directly below dir that sort
	// behind after, by their bytes. The topmost dir is the empty one. It
	// returns none for a directory that does not exist.
	PublishedDir(ctx context.Context, id content.PublicationID, dir, after string, limit int) ([]content.DirEntry, error)
	// PublishedPaths calls each with the path of every file of a publication, those
	// below a directory one after the other, until it returns false.
	PublishedPaths(ctx context.Context, id content.PublicationID, each func(path string) bool) error
}

// Blobs opens stored bytes.
type Blobs interface {
	// Open opens the bytes with a SHA-256, in lower-case hex, for reading. There
	// must be as many as size, or reading fails, if Open does not. If they are
	// on disk, it returns an *os.File, which the kernel can send by itself.
	Open(ctx context.Context, sha256 string, size int64) (io.ReadSeekCloser, error)
}

// Options tunes a Handler. Its zero value is fit for use.
type Options struct {
	Log       *slog.Logger     // slog.Default() if nil
	Files     int              // bytes of memory for what lies at paths; 48 MiB if 0
	ServedFor time.Duration    // how long a distribution is trusted to serve the same; 1 s if 0
	Bodies    int              // bytes of memory for small files; 32 MiB if 0
	Names     int              // bytes of memory for what publications have not; 16 MiB if 0
	PageSize  int              // names in a page of a listing; 1,000 if 0
	Now       func() time.Time // time.Now if nil

	// KeepReplaced is for how long clients get what the current publication has
	// not, but the one did that was served before; for no time if 0.
	KeepReplaced time.Duration

	// Redirect returns an address where clients can get the bytes with a
	// SHA-256 by themselves, as a media type. If it is not nil, those who want a
	// large file are sent there.
	Redirect func(ctx context.Context, sha256, contentType string) (string, error)

	// Demand gets bytes that are not stored yet. If it is nil, all are taken to
	// be.
	Demand *demand.Fetcher

	// Admit lets in who may read what has an access. It returns the request, with
	// who makes it in its context, and whether others could not have it so that no
	// cache may share the answer; or it answers itself, and returns nil. What lies
	// in no distribution has the zero access. Everybody is let in if it is nil.
	Admit func(http.ResponseWriter, *http.Request, content.Access) (admitted *http.Request, private bool)

	// Closed says that Admit lets the same people read everything but what is
	// public. As long as nothing is, it is asked before anything is looked up:
	// strangers who ask for any number of paths cost the database nothing.
	Closed bool

	// Sees tells whether the caller of a request may see a repository's content.
	// What they may not see is answered as if it were not there. Everybody sees
	// everything if it is nil.
	Sees func(context.Context, content.RepositoryID) (bool, error)
}

// Handler answers requests below Prefix. It is safe for concurrent use.
type Handler struct {
	lookup   Lookup
	blobs    Blobs
	log      *slog.Logger
	pageSize int
	now      func() time.Time
	redirect func(ctx context.Context, sha256, contentType string) (string, error)
	admit    func(http.ResponseWriter, *http.Request, content.Access) (*http.Request, bool)
	closed   bool
	sees     func(context.Context, content.RepositoryID) (bool, error)
	demand   *demand.Fetcher
	served   *served
	files    *files
	bodies   bodies
}

// New returns a handler of the content that lookup and blobs hold.
func New(lookup Lookup, blobs Blobs, o Options) *Handler {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Files <= 0 {
		o.Files = 48 << 20
	}
	if o.ServedFor <= 0 {
		o.ServedFor = time.Second
	}
	if o.Bodies <= 0 {
		o.Bodies = 32 << 20
	}
	if o.Names <= 0 {
		o.Names = 16 << 20
	}
	if o.PageSize <= 0 {
		o.PageSize = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Handler{
		lookup:   lookup,
		blobs:    blobs,
		log:      o.Log,
		pageSize: o.PageSize,
		now:      o.Now,
		redirect: o.Redirect,
		admit:    o.Admit,
		closed:   o.Closed,
		sees:     o.Sees,
		demand:   o.Demand,
		served:   newServed(lookup, o.ServedFor, o.KeepReplaced, o.Now),
		files:    newFiles(lookup, o.Files, o.Names),
		bodies:   newBodies(o.Bodies),
	}
}

// Changed forgets what the distributions serve. A request that begins after
// it returns sees every change that was committed before it was called.
func (h *Handler) Changed() { h.served.forget() }

// ServeHTTP answers GET and HEAD with a file, a listing of a directory, or a
// redirection to it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, Prefix)
	header, rules, asked := w.Header(), &forAll, h.admit == nil
	admit := func(a content.Access) bool {
		var private bool
		if r, private = h.admit(w, r, a); private {
			rules = &forOne
			header["Vary"] = rules.vary
		}
		asked = true
		return r != nil
	}
	if h.closed && !h.served.anyPublic(r.Context()) && !admit(content.AsServer) {
		return
	}
	s, err := content.Serving{}, errNoName
	if path = clean(path); ok && path != "" {
		s, err = h.served.find(r.Context(), path)
	}
	if !asked && (err == nil || fault.Is(err, fault.NotFound)) && !admit(s.Access) {
		return
	}
	header["Cache-Control"] = rules.current
	if err == nil {
		err = h.check(r.Context(), s, path)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	rest, caching := path[len(s.Path):], rules.current
	at, below, ok, err := h.cutTime(r.Context(), s, rest)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if ok {
		then, owner, err := h.served.findAt(r.Context(), s, at)
		if err == nil && owner.DistributionID != s.DistributionID {
			if h.admit != nil && !admit(owner.Access) {
				return
			}
			header["Cache-Control"] = rules.current
			err = h.check(r.Context(), owner, path)
		}
		if err == nil {
			err = h.check(r.Context(), then, path)
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		s, rest, caching = then, below, rules.current
		if h.isPast(at) {
			caching = rules.past
		}
	}
	if s.PublicationID == 0 {
		http.Error(w, "not found: nothing has been published here yet", http.StatusNotFound)
		return
	}
	switch {
	case rest == "":
		redirectToDir(w, r)
		return
	case rest[len(rest)-1] == '/':
		h.serveDir(w, r, s.PublicationID, rest[1:], caching)
		return
	}
	f, err := h.find(r.Context(), s, rest[1:])
	switch {
	case fault.Is(err, fault.NotFound):
		serveNothing(w, err)
	case err != nil:
		h.fail(w, r, err)
	case f.isDir:
		redirectToDir(w, r)
	default:
		h.serveFile(w, r, f, caching)
	}
}

var errNoName error = fault.New(fault.NotFound, "not found: name a distribution, as in %s<path>/", Prefix)

// clean resolves what is not clean in a path, such as the two slashes that
// clients make of a base with one at its end. It stays below the topmost
// directory.
func clean(name string) string {
	if !strings.Contains(name, "//") && !strings.HasPrefix(name, "/") && !strings.Contains("/"+name, "/.") {
		return name
	}
	clean := path.Clean("/" + name)[1:]
	if strings.HasSuffix(name, "/") && clean != "" {
		clean += "/"
	}
	return clean
}

// maySee reports whether the caller may see a repository's content.
func (h *Handler) maySee(ctx context.Context, id content.RepositoryID) (bool, error) {
	if h.sees == nil {
		return true, nil
	}
	return h.sees(ctx, id)
}

// check fails as find does where nothing is, if the caller may not see what a
// distribution serves.
func (h *Handler) check(ctx context.Context, s content.Serving, path string) error {
	sees, err := h.maySee(ctx, s.RepositoryID)
	if err != nil || sees {
		return err
	}
	if err := checkPath(strings.TrimSuffix(path, "/")); err != nil {
		return err
	}
	return errNoDistribution
}
