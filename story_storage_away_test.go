package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ream/blob/blobtest"
)

// wantAway wants a task to have failed because the storage did, and to have told
// no more about that than users may know.
func wantAway(t *testing.T, what string, got finished, message string, secret ...string) {
	t.Helper()
	if got.State != "FAILED" || got.Error == nil || got.Error.Code != "UNAVAILABLE" || !strings.Contains(got.Error.Message, message) {
		t.Errorf("%s: got %+v %+v, want FAILED with %q", what, got, got.Error, message)
		return
	}
	for _, s := range secret {
		if strings.Contains(got.Error.Message, s) {
			t.Errorf("%s: it tells %q: %s", what, s, got.Error.Message)
		}
	}
}

// servedAs fails unless everything is served as it is upstream.
func (p *program) servedAs(name string, files map[string][]byte) {
	p.t.Helper()
	for path, want := range files {
		if got := p.get("/content/" + name + "/" + path); !bytes.Equal(got, want) {
			p.t.Errorf("%s: got %.20q, %d bytes", path, got, len(got))
		}
	}
}

// TestStorageVanishes takes the whole storage away while its content is served,
// as when a file system is not mounted or a bucket was renamed. Everybody is told
// so, nothing is taken for lost, and once it is back all is as before.
func TestStorageVanishes(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, d depot) {
		files := someFiles(5)
		files["large"] = bytesOf(24 << 20) // more than waits in connections
		up := newUpstream(t, files)
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Fatalf("mirror: got %+v %+v", got, got.Error)
		}
		p.empty("own") // has what no remote could give again
		p.ream("upload", "own", directory(t, map[string][]byte{"mine": []byte("my own file")}))
		p.serve("own")
		wanted := bytesOf(10_000)
		p.onDemand("d", newUpstream(t, map[string][]byte{"wanted": wanted}))
		response, err := http.Get(p.address + "/content/r/large")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.CopyN(io.Discard, response.Body, 10_000); err != nil {
			t.Fatal(err)
		}

		back := d.vanish()
		rest, err := io.ReadAll(response.Body)
		if whole := files["large"][10_000:]; err == nil && !bytes.Equal(rest, whole) || !bytes.HasPrefix(whole, rest) {
			t.Errorf("what was on its way: got %d bytes, %v", len(rest), err)
		}
		for _, path := range []string{"r/large", "r/dir 1/file-1.bin", "own/mine", "d/wanted"} {
			response, body, err := p.ask("GET", "/content/"+path)
			if err != nil || response.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(string(body), "the storage ") || response.Header.Get("Etag") != "" {
				t.Errorf("%s: got %s %q, %v", path, response.Status, body, err)
			}
		}
		for name, mutation := range map[string]string{"verify": `verifyContent(input: {})`, "clean": `cleanOrphans(input: {graceHours: 1})`} {
			id := query[map[string]struct{ ID string }](p, `mutation { work: `+mutation+` { ... on Work { id } } }`, nil)["work"].ID
			wantAway(t, name, p.follow(id), "the storage ", d.location)
		}
		up.add("new", []byte("a new file"))
		wantAway(t, "sync", p.sync("r", true), "the storage ", d.location)
		if versions, units := p.versions("r"); versions != 1 || units != 6 {
			t.Errorf("got %d versions of %d units", versions, units)
		}

		if p.storedUnits("d")["wanted"] {
			t.Error("what was fetched for a client is said to be stored")
		}

		back()
		for _, name := range []string{"r", "own"} {
			for path, stored := range p.storedUnits(name) {
				if !stored {
					t.Errorf("%s of %s is taken for lost", path, name)
				}
			}
		}
		if out := p.ream("verify"); strings.Contains(out, "MISSING") || strings.Contains(out, "DAMAGED") || d.quarantined() != 0 {
			t.Errorf("once it is back: got %q", out)
		}
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Fatalf("once it is back: got %+v %+v", got, got.Error)
		}
		p.servedAs("r", files)
		p.servedAs("own", map[string][]byte{"mine": []byte("my own file")})
		await(t, "what a client wanted meanwhile is fetched", func() bool { return p.fetched("/content/d/wanted") == string(wanted) })
		for path := range files {
			if n := up.times(path); path != "new" && n != 1 || n > 2 {
				t.Errorf("%s was fetched %d times", path, n)
			}
		}
	})
}

// TestStorageOfAnother starts a server on a storage that has nothing of what its
// database names, as where a file system was not mounted: it does not start, unless
// it is told that all is lost, and then gets it again.
func TestStorageOfAnother(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, d depot) {
		files := someFiles(10)
		up := newUpstream(t, files)
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Fatalf("mirror: got %+v %+v", got, got.Error)
		}
		p.stop()

		there, another := slices.Clone(p.args), d.location+"/another"
		if bucket, parameters, ok := strings.Cut(d.location, "?"); ok {
			another = bucket + "/another?" + parameters
		}
		elsewhere := append(slices.Clone(p.args), "--storage", another)
		if out := refused(t, elsewhere...); !strings.Contains(out, "--storage: it has none of the artifacts that the database names") || !strings.Contains(out, "--storage-lost") {
			t.Errorf("another storage: got %q", out)
		}
		if _, err := os.Stat(another); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it was made: %v", err)
		}
		p.args = there
		p.start()
		p.servedAs("r", files)
		p.stop()

		p.args = append(slices.Clone(elsewhere), "--storage-lost")
		p.start()
		p.ream("verify")
		p.servedAs("r", files)
		p.stop()
		p.args = elsewhere
		p.start()
		p.servedAs("r", files)
		for path := range files {
			if n := up.times(path); n != 2 {
				t.Errorf("%s was fetched %d times, want 2", path, n)
			}
		}
	})
}

// TestBucketFailsInTheMiddle has a bucket that begins to fail while a sync
// uploads to it: the sync says why, and does not take that for a fault of the
// files. The next one completes.
func TestBucketFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	s3 := blobtest.StartS3(t)
	answers := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>hush</Message></Error>", code)
		}
	}
	for i, tt := range []struct {
		name, message string
		fails         http.HandlerFunc // nil if it answers, but nobody hears of it
	}{
		{"breaks", "the storage does not answer as it should: try again later", answers(500, "InternalError")},
		{"is overloaded", "the storage does not answer as it should: try again later", answers(503, "SlowDown")},
		{"is full", "the storage is full: make room and try again", answers(507, "InsufficientStorage")},
		{"is forbidden", "the storage does not allow it", answers(403, "AccessDenied")},
		{"is no more", "the storage lacks its bucket: create it", answers(404, "NoSuchBucket")},
		{"cuts off", "the storage cannot be reached: try again later", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"loses its answers", "the storage cannot be reached: try again later", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var fails atomic.Bool
			var uploads atomic.Int32
			bucket := s3.Bucket(t)
			behind := s3.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				switch {
				case !fails.Load() || r.Method == http.MethodPut && uploads.Add(1) <= 5:
					next.ServeHTTP(w, r)
				case tt.fails != nil:
					tt.fails(w, r)
				default:
					next.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler)
				}
			})
			p := startOn(t, i%2 > 0, "--storage", behind.Location(bucket))
			files := someFiles(3)
			up := newUpstream(t, files)
			p.repository("r", up.URL+"/PULP_MANIFEST")
			if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
				t.Fatalf("mirror: got %+v %+v", got, got.Error)
			}
			before := maps.Clone(files)
			for path, file := range someFiles(60) {
				up.add("new/"+path, file)
			}
			up.add("large", bytesOf(1<<20))

			fails.Store(true)
			got := p.tolerate("r", "SKIP")
			wantAway(t, "sync", finished{got.ID, got.State, got.Error}, tt.message, behind.Endpoint, bucket, "hush")
			if got.Failures.TotalCount != 0 {
				t.Errorf("it takes these for files' failures: %s", got.told())
			}
			if versions, units := p.versions("r"); versions != 1 || units != 3 {
				t.Errorf("got %d versions of %d units", versions, units)
			}
			fails.Store(false)
			if out := p.ream("verify"); strings.Contains(out, "MISSING") || strings.Contains(out, "DAMAGED") {
				t.Errorf("what the sync that failed has stored: got %q", out)
			}
			p.servedAs("r", before)
			if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
				t.Fatalf("once it is well: got %+v %+v", got, got.Error)
			}
			p.servedAs("r", files)
			for path := range files {
				if n := up.times(path); n > 2 || before[path] != nil && n != 1 {
					t.Errorf("%s was fetched %d times", path, n)
				}
			}
		})
	}
}

// TestBucketHangs has a bucket that takes uploads and does not answer: a sync can
// be canceled, and a server be stopped, which then goes on with it.
func TestBucketHangs(t *testing.T) {
	t.Parallel()
	s3 := blobtest.StartS3(t)
	for name, postgres := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var hangs atomic.Bool
			hanging := make(chan struct{}, 1000)
			behind := s3.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method == http.MethodPut && hangs.Load() {
					io.Copy(io.Discard, r.Body) // so that it is seen when the client gives up
					hanging <- struct{}{}
					<-r.Context().Done()
					return
				}
				next.ServeHTTP(w, r)
			})
			p := startOn(t, postgres, "--storage", behind.Location(s3.Bucket(t)))
			files := someFiles(3)
			p.repository("r", newUpstream(t, files).URL+"/PULP_MANIFEST")
			hangs.Store(true)
			id := p.queueSync("r", true)
			<-hanging
			query[any](p, `mutation($id: ID!) { cancel(id: $id) { ... on Work { id } } }`, map[string]any{"id": id})
			if got := p.follow(id); got.State != "CANCELED" {
				t.Errorf("canceled: got %+v %+v", got, got.Error)
			}
			id = p.queueSync("r", true)
			<-hanging
			p.stop()
			hangs.Store(false)
			p.start()
			if got := p.follow(id); got.State != "COMPLETED" {
				t.Errorf("after the restart: got %+v %+v", got, got.Error)
			}
			if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
				t.Fatalf("mirror: got %+v %+v", got, got.Error)
			}
			p.servedAs("r", files)
		})
	}
}
