package demand_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/demand"
	"ream/fault"
	"ream/fetch"
)

func isUpstream(err error) bool {
	_, ok := errors.AsType[*demand.UpstreamError](err)
	return ok
}

// until waits for something that happens soon.
func until(t *testing.T, is func() bool) {
	t.Helper()
	for !is() {
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
		runtime.Gosched()
	}
}

// TestManyAtOnce has many clients who ask for one file at once.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, size := range []int{1, small, 1 << 20} {
			file := fileOf(1, size)
			up := newUpstream(t, gives(file))
			k := newDesk(t, d, demand.Options{}, up)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() { k.gets(file) })
			}
			all.Wait()
			k.awaitStored(file)
			k.gets(file)
			if n := len(up.asked()); n != 1 {
				t.Errorf("%d bytes: upstream was asked %d times", size, n)
			}
		}
	})
}

// TestSmallIsVerifiedFirst holds the end of a small file and that of a large
// one back: of the small one, nobody may see a byte.
func TestSmallIsVerifiedFirst(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	file := fileOf(2, small)
	g := newGate(t, file, len(file)-1)
	k := newDesk(t, d, demand.Options{}, newUpstream(t, g.ServeHTTP))
	read := make(chan error, 1)
	r := k.Open(t.Context(), digest(file), int64(len(file)))
	defer r.Close()
	go func() {
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	<-g.reached
	select {
	case err := <-read:
		t.Fatalf("a byte was read before the file was verified, %v", err)
	default:
	}
	g.release()
	if err := <-read; err != nil || !k.holds(file) {
		t.Errorf("got %v", err)
	}
}

// TestLargeIsStreamed has clients who read what has arrived, one who leaves,
// and one who comes later. The end is held back.
func TestLargeIsStreamed(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	file := fileOf(3, 2<<20)
	g := newGate(t, file, len(file)-1)
	up := newUpstream(t, g.ServeHTTP)
	k := newDesk(t, d, demand.Options{}, up)
	readers := make([]*demand.Reader, 10)
	for i := range readers {
		readers[i] = k.Open(t.Context(), digest(file), int64(len(file)))
		defer readers[i].Close()
		got := make([]byte, 1<<20)
		if _, err := io.ReadFull(readers[i], got); err != nil || !bytes.Equal(got, file[:len(got)]) {
			t.Fatalf("the first bytes: got %v", err)
		}
	}
	readers[0].Close()
	// All but one byte has come. The end is for those who are patient.
	end := k.Open(t.Context(), digest(file), int64(len(file)))
	defer end.Close()
	if _, err := end.Seek(-10, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		got, err := io.ReadAll(end)
		if err == nil && !bytes.Equal(got, file[len(file)-10:]) {
			err = fmt.Errorf("got %x", got)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("the end was read before the file was verified, %v", err)
	default:
	}
	g.release()
	for _, r := range readers[1:] {
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, file[1<<20:]) {
			t.Errorf("the rest: got %d bytes, %v", len(got), err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	k.gets(file)
	k.awaitStored(file)
	if n := len(up.asked()); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}
}

// wrongAt is a file with another byte at a place.
func wrongAt(file []byte, i int) []byte {
	file = bytes.Clone(file)
	file[i]++
	return file
}

// unannounced answers with a file without saying how long it is.
func unannounced(file []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).Flush()
		w.Write(file)
	}
}

// TestLies has upstreams that do not give the file that the metadata say.
func TestLies(t *testing.T) {
	t.Parallel()
	d, blobs := dbtest.SQLite(t), newDisk(t)
	for i, tt := range []struct {
		name  string
		steps func(file []byte) []http.HandlerFunc
	}{
		{"wrong at the end", func(f []byte) []http.HandlerFunc { return []http.HandlerFunc{gives(wrongAt(f, len(f)-1))} }},
		{"wrong at the start", func(f []byte) []http.HandlerFunc { return []http.HandlerFunc{gives(wrongAt(f, 0))} }},
		{"flips", func(f []byte) []http.HandlerFunc {
			return []http.HandlerFunc{gives(wrongAt(f, len(f)-1)), gives(wrongAt(f, 0))}
		}},
		{"short", func(f []byte) []http.HandlerFunc { return []http.HandlerFunc{gives(f[:len(f)-1])} }},
		{"long", func(f []byte) []http.HandlerFunc { return []http.HandlerFunc{gives(append(bytes.Clone(f), 0))} }},
		{"short, unannounced", func(f []byte) []http.HandlerFunc { return []http.HandlerFunc{unannounced(f[:len(f)-1])} }},
		{"long, unannounced", func(f []byte) []http.HandlerFunc {
			return []http.HandlerFunc{unannounced(append(bytes.Clone(f), "more"...))}
		}},
		{"breaks off", func(f []byte) []http.HandlerFunc { return []http.HandlerFunc{breaks(f, len(f)-1)} }},
		{"not there", func([]byte) []http.HandlerFunc { return []http.HandlerFunc{status(http.StatusNotFound)} }},
		{"not allowed", func([]byte) []http.HandlerFunc { return []http.HandlerFunc{status(http.StatusForbidden)} }},
		{"fails", func([]byte) []http.HandlerFunc { return []http.HandlerFunc{status(http.StatusInternalServerError)} }},
	} {
		for _, size := range []int{100, 1 << 19} {
			t.Run(fmt.Sprintf("%s of %d", tt.name, size), func(t *testing.T) {
				t.Parallel()
				file := fileOf(byte(100+i), size)
				k := newDeskOn(t, d, blobs, demand.Options{}, newUpstream(t, tt.steps(file)...))
				var all sync.WaitGroup
				for range 5 {
					all.Go(func() {
						if got, err := k.read(file); len(got) >= size || !isUpstream(err) || size < small && len(got) > 0 {
							t.Errorf("got %d bytes, %v", len(got), err)
						}
					})
				}
				all.Wait()
				k.Close()
				if b, err := k.blobs.Open(t.Context(), digest(file), int64(size)); !fault.Is(err, fault.NotFound) {
					t.Errorf("the storage has %v, %v", b, err)
				}
			})
		}
	}
	t.Run("of nothing", func(t *testing.T) {
		t.Parallel()
		k := newDesk(t, d, demand.Options{}, newUpstream(t, gives(nil)))
		r := k.Open(t.Context(), digest([]byte("something")), 0)
		defer r.Close()
		if n, err := r.Read(make([]byte, 1)); n > 0 || !isUpstream(err) {
			t.Errorf("got %d, %v", n, err)
		}
		k.gets(nil)
	})
	t.Run("size", func(t *testing.T) {
		t.Parallel()
		file := fileOf(5, 1000)
		k := newDesk(t, d, demand.Options{}, newUpstream(t, gives(file)))
		k.gets(file)
		r := k.Open(t.Context(), digest(file), 999)
		defer r.Close()
		if _, err := io.ReadAll(r); !isUpstream(err) {
			t.Errorf("of a file that is stored with another size: got %v", err)
		}
		if _, err := k.Stored(t.Context(), digest(file), 998); !isUpstream(err) {
			t.Errorf("whether it is stored with another size: got %v", err)
		}
	})
}

// asWhole answers with a file, whatever part is asked for.
func asWhole(file []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(file) }
}

// TestBeginsAnew has an upstream that breaks off and cannot go on. Who has read
// of what it gave first is not given the rest of what it gave then.
func TestBeginsAnew(t *testing.T) {
	t.Parallel()
	file := fileOf(6, 2<<20)
	g := newGate(t, file, 1<<20)
	k := newDesk(t, dbtest.SQLite(t), demand.Options{}, newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		defer panic(http.ErrAbortHandler)
		w.Write(file[:1<<20])
		http.NewResponseController(w).Flush()
		g.reached <- struct{}{}
		<-g.open
	}, gives(file)))
	early, late := k.Open(t.Context(), digest(file), int64(len(file))), k.Open(t.Context(), digest(file), int64(len(file)))
	defer early.Close()
	defer late.Close()
	if _, err := io.ReadFull(early, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	g.release()
	if _, err := io.ReadAll(early); !isUpstream(err) {
		t.Errorf("who had read: got %v", err)
	}
	if got, err := io.ReadAll(late); err != nil || !bytes.Equal(got, file) {
		t.Errorf("who had not: got %d bytes, %v", len(got), err)
	}
	k.gets(file)
}

func TestSeveralSources(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	for _, size := range []int{100, 1 << 20} {
		file, other := fileOf(7, size), fileOf(8, size)
		bad, good := newUpstream(t, status(http.StatusServiceUnavailable)), newUpstream(t, gives(file), gives(other))
		lying := newUpstream(t, gives(other))
		k := newDesk(t, d, demand.Options{}, bad, lying, good)
		for got, err := k.read(file); !bytes.Equal(got, file); got, err = k.read(file) {
			if size < small || !isUpstream(err) { // of a large file, it may have read of the lie
				t.Fatalf("got %d bytes, %v", len(got), err)
			}
		}
		k.awaitStored(file)
		// Those that failed are asked last for a while.
		before := len(bad.asked())
		k.gets(other)
		if n := len(bad.asked()); n != before {
			t.Errorf("the one that is away was asked %d times more", n-before)
		}
	}
	k := newDesk(t, d, demand.Options{})
	if _, err := k.read(fileOf(9, 100)); !isUpstream(err) {
		t.Errorf("without a source: got %v", err)
	}
}

// TestStallOfOneSource has an upstream that sends nothing, or not all: what it has
// comes from the next one, and it is asked once, also if there is no other.
func TestStallOfOneSource(t *testing.T) {
	t.Parallel()
	d, blobs := dbtest.SQLite(t), newDisk(t)
	for i, sends := range []int{0, 50} {
		file, lost, large := fileOf(byte(24+i), 100), fileOf(26, 100), fileOf(27, 1<<20)
		stalled, good := newUpstream(t, newGate(t, make([]byte, 100), sends).ServeHTTP), newUpstream(t, gives(file), gives(large))
		stalled.stall = 50 * time.Millisecond
		k := newDeskOn(t, d, blobs, demand.Options{Stall: time.Hour}, stalled, good)
		k.gets(file)
		k.of = map[string][]fetch.Place{digest(lost): k.places[:1]}
		_, err := k.another().read(lost)
		if failed, ok := errors.AsType[*demand.UpstreamError](err); !ok || !failed.Late {
			t.Errorf("without another: got %v", err)
		}
		r := k.another().Open(t.Context(), digest(large), int64(len(large)))
		defer r.Close()
		r.Only(0, 10)
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Errorf("a part: got %v", err)
		}
		if n := len(stalled.asked()); n > 3 {
			t.Errorf("for three files, it was asked %d times", n)
		}
	}
}

// TestStallsAreBounded has many upstreams that stall, whose remotes would wait for
// an hour.
func TestStallsAreBounded(t *testing.T) {
	t.Parallel()
	var asked sync.Map
	var upstreams []*upstream
	for i := range 5 {
		g := newGate(t, make([]byte, 100), 0)
		upstreams = append(upstreams, newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Store(i, true)
			g.ServeHTTP(w, r)
		}))
		upstreams[i].stall = time.Hour
	}
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Stall: 100 * time.Millisecond}, upstreams...)
	_, err := k.read(fileOf(24, 100))
	if failed, ok := errors.AsType[*demand.UpstreamError](err); !ok || !failed.Late {
		t.Errorf("got %v", err)
	}
	n := 0
	asked.Range(func(any, any) bool { n++; return true })
	if n > 3 {
		t.Errorf("%d upstreams were waited for, want 3 at most", n)
	}
}

// TestOneAfterTheOther has upstreams that fail once or for good: each is asked once
// before one of them is asked again.
func TestOneAfterTheOther(t *testing.T) {
	t.Parallel()
	d, blobs := dbtest.SQLite(t), newDisk(t)
	for i, tt := range []struct {
		name string
		a, b func(file []byte) []http.HandlerFunc
		want string
	}{
		{"the other has it", fails(1), fails(0), "ab"},
		{"the first is back", fails(1), func([]byte) []http.HandlerFunc { return []http.HandlerFunc{status(404)} }, "aba"},
		{"the second is back", fails(3), fails(2), "abaabb"},
		{"the first lied", func(f []byte) []http.HandlerFunc {
			return []http.HandlerFunc{gives(wrongAt(f, 0)), gives(f)}
		}, fails(9), "aba"},
		{"nobody has it", fails(9), fails(9), "abaabb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := fileOf(byte(30+i), 100)
			var mu sync.Mutex
			var asked string
			named := func(name string, steps []http.HandlerFunc) *upstream {
				for i, step := range steps {
					steps[i] = func(w http.ResponseWriter, r *http.Request) {
						mu.Lock()
						asked += name
						mu.Unlock()
						step(w, r)
					}
				}
				return newUpstream(t, steps...)
			}
			k := newDeskOn(t, d, blobs, demand.Options{}, named("a", tt.a(file)), named("b", tt.b(file)))
			if got, err := k.read(file); !bytes.Equal(got, file) && (tt.name != "nobody has it" || !isUpstream(err)) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			mu.Lock()
			defer mu.Unlock()
			if asked != tt.want {
				t.Errorf("asked were %q, want %q", asked, tt.want)
			}
		})
	}
}

// fails fails some times, and gives the file then.
func fails(times int) func(file []byte) []http.HandlerFunc {
	return func(file []byte) (steps []http.HandlerFunc) {
		for range times {
			steps = append(steps, status(http.StatusServiceUnavailable))
		}
		return append(steps, gives(file))
	}
}

// TestRecovery has an upstream that fails and is back soon.
func TestRecovery(t *testing.T) {
	t.Parallel()
	file := fileOf(10, 100)
	up := newUpstream(t, status(404), gives(file))
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Forget: time.Hour}, up)
	for range 3 {
		if _, err := k.read(file); !isUpstream(err) {
			t.Fatalf("got %v", err)
		}
	}
	if n := len(up.asked()); n != 1 {
		t.Errorf("upstream was asked %d times at once", n)
	}
	up = newUpstream(t, status(404), gives(file))
	k = newDesk(t, dbtest.SQLite(t), demand.Options{Forget: time.Millisecond}, up)
	if _, err := k.read(file); !isUpstream(err) {
		t.Fatalf("got %v", err)
	}
	for t.Context().Err() == nil {
		if got, err := k.read(file); err == nil {
			if !bytes.Equal(got, file) {
				t.Errorf("got %q", got)
			}
			break
		}
	}
}

// TestUpstreamThatIsToBeLeftAlone is asked once, whatever clients want of it,
// who are told when it may be asked again.
func TestUpstreamThatIsToBeLeftAlone(t *testing.T) {
	t.Parallel()
	d, blobs := dbtest.SQLite(t), newDisk(t)
	away := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	file, other := fileOf(21, 100), fileOf(22, 1<<20)
	up := newUpstream(t, away)
	k := newDeskOn(t, d, blobs, demand.Options{Forget: time.Millisecond}, up)
	for range 3 {
		for _, f := range [][]byte{file, other} {
			_, err := k.read(f)
			failed, ok := errors.AsType[*demand.UpstreamError](err)
			if !ok || !strings.Contains(failed.Error(), "it wants to be left alone until ") {
				t.Fatalf("got %v", err)
			}
			if after := k.RetryAfter(failed); after < 3000 || after > 3600 {
				t.Errorf("the client may try again after %d s", after)
			}
		}
		r := k.Open(t.Context(), digest(other), int64(len(other)))
		r.Only(0, 10)
		if _, err := r.Read(make([]byte, 10)); !isUpstream(err) {
			t.Errorf("of a part: got %v", err)
		}
		r.Close()
	}
	if n := len(up.asked()); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}

	// Another one that is away as well may be back at any time.
	k = newDeskOn(t, d, blobs, demand.Options{}, newUpstream(t, away), newUpstream(t, status(404)))
	_, err := k.read(file)
	if failed, ok := errors.AsType[*demand.UpstreamError](err); !ok || k.RetryAfter(failed) != 2 {
		t.Errorf("of two upstreams: got %v", err)
	}
	k = newDeskOn(t, d, blobs, demand.Options{}, newUpstream(t, away), newUpstream(t, gives(file)))
	k.gets(file)
}

// TestSeveralProcesses has two fetchers of one database and storage that are
// asked for one file at once.
func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, size := range []int{100, 2 << 20} {
			file := fileOf(11, size)
			up := newUpstream(t, gives(file))
			a := newDesk(t, d, demand.Options{}, up)
			var all sync.WaitGroup
			for _, k := range []*desk{a, a.another()} {
				for range 20 {
					all.Go(func() { k.gets(file) })
				}
			}
			all.Wait()
			a.awaitStored(file)
			if n := len(up.asked()); n != 1 {
				t.Errorf("%d bytes: upstream was asked %d times", size, n)
			}
		}
	})
}

// TestKilledProcess has a lease that nobody renews any more.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		file := fileOf(12, 100)
		if leased, err := d.LeaseFetch(t.Context(), content.Digest(digest(file)), "who was killed", 50*time.Millisecond); err != nil || !leased {
			t.Fatalf("got %t, %v", leased, err)
		}
		up := newUpstream(t, gives(file))
		newDesk(t, d, demand.Options{}, up).gets(file)
		if n := len(up.asked()); n != 1 {
			t.Errorf("upstream was asked %d times", n)
		}
	})
}

// TestLongFetchKeepsItsLease has a fetch that takes longer than its lease.
func TestLongFetchKeepsItsLease(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	file := fileOf(13, 100)
	g := newGate(t, file, 50)
	o := demand.Options{Lease: 2 * time.Second} // in which a busy machine must find the time to renew it
	a := newDesk(t, d, o, newUpstream(t, g.ServeHTTP))
	done := make(chan struct{})
	go func() { defer close(done); a.gets(file) }()
	<-g.reached
	for began := time.Now(); time.Since(began) < 2*o.Lease; {
		if leased, err := d.LeaseFetch(t.Context(), content.Digest(digest(file)), "another", o.Lease); err != nil || leased {
			t.Fatalf("another one got the lease: %t, %v", leased, err)
		}
		time.Sleep(10 * time.Millisecond) // to let time pass is what this is about
	}
	g.release()
	<-done
}

// TestTooMany has more files that are asked for than may be fetched at once.
func TestTooMany(t *testing.T) {
	t.Parallel()
	first, second := fileOf(14, 100), fileOf(15, 100)
	g := newGate(t, first, 50)
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Fetches: 1, Busy: time.Millisecond, Forget: time.Millisecond}, newUpstream(t, g.ServeHTTP, gives(second)))
	done := make(chan struct{})
	go func() { defer close(done); k.gets(first) }()
	<-g.reached
	if _, err := k.read(second); !fault.Is(err, fault.Unavailable) || isUpstream(err) {
		t.Errorf("got %v", err)
	}
	g.release()
	<-done
	for t.Context().Err() == nil {
		if _, err := k.read(second); err == nil {
			return
		}
	}
}

// TestUpstreamThatStalls has an upstream that does not answer, of which more
// files, and parts of files, are wanted than may be fetched at once: others' files
// come all the same, also those that it has as well.
func TestUpstreamThatStalls(t *testing.T) {
	t.Parallel()
	const wanted, share = 40, 24
	asked, over := make(chan struct{}, wanted), make(chan struct{})
	release := sync.OnceFunc(func() { close(over) })
	stalled := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-over
		w.WriteHeader(http.StatusNotFound)
	})
	t.Cleanup(release)
	file, both := fileOf(100, 100), fileOf(101, 1<<20)
	well := newUpstream(t, gives(file), gives(both), status(http.StatusNotFound))
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Busy: time.Hour}, stalled, well)
	k.of = map[string][]fetch.Place{digest(file): k.places[1:]} // the others are at both
	var files [wanted][]byte
	for i := range files {
		files[i] = fileOf(byte(i), []int{100, 1 << 20}[i%2])
		k.of[digest(files[i])] = k.places[:1]
	}
	k = k.another()
	var all sync.WaitGroup
	for _, f := range files {
		all.Go(func() {
			r := k.Open(t.Context(), digest(f), int64(len(f)))
			defer r.Close()
			r.Only(0, 10) // which is no part of a small one
			if _, err := r.Read(make([]byte, 10)); !isUpstream(err) {
				t.Errorf("of the upstream that stalled: got %v", err)
			}
		})
	}
	for range share {
		<-asked
	}
	until(t, func() bool { return k.Waiters() == wanted-share })
	k.gets(file)
	k.gets(both)
	if n := len(stalled.asked()); n != share {
		t.Errorf("the upstream that stalls was asked for %d files at once, want %d", n, share)
	}
	release()
	all.Wait()
	if n := len(stalled.asked()); n != wanted {
		t.Errorf("the upstream that stalled was asked for %d files, want %d", n, wanted)
	}
	until(t, func() bool { return k.Taken() == 0 })
}

// TestTooManyOfOne has more files of an upstream that are asked for than it may
// have of the turns: those who wait for too long are told, and others are not.
func TestTooManyOfOne(t *testing.T) {
	t.Parallel()
	first, second, other := fileOf(14, 100), fileOf(15, 100), fileOf(16, 100)
	g := newGate(t, first, 50)
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Fetches: 2, Busy: time.Millisecond, Forget: time.Millisecond},
		newUpstream(t, g.ServeHTTP, gives(second)), newUpstream(t, gives(other)), newUpstream(t, status(http.StatusNotFound)))
	k.of = map[string][]fetch.Place{digest(first): k.places[:1], digest(second): {k.places[2], k.places[0]}, digest(other): k.places[1:]}
	k = k.another()
	done := make(chan struct{})
	go func() { defer close(done); k.gets(first) }()
	<-g.reached
	// The one that has turns left does not give it, and the other has none.
	if _, err := k.read(second); !fault.Is(err, fault.Unavailable) || isUpstream(err) {
		t.Errorf("got %v", err)
	}
	k.gets(other)
	g.release()
	<-done
	for t.Context().Err() == nil {
		if _, err := k.read(second); err == nil {
			return
		}
	}
}

// TestClientsWhoLeave has clients of files who leave before these have their turn:
// such are not fetched, unless others wait for them. One that has its turn is.
func TestClientsWhoLeave(t *testing.T) {
	t.Parallel()
	first, second, third := fileOf(14, 100), fileOf(15, 100), fileOf(16, 1<<20)
	g := newGate(t, first, 50)
	up := newUpstream(t, g.ServeHTTP, gives(third), gives(second))
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Fetches: 1, Busy: time.Hour}, up)
	ctx, leave := context.WithCancel(t.Context())
	var left, stay sync.WaitGroup
	leaves := func(file []byte) {
		left.Go(func() {
			r := k.Open(ctx, digest(file), int64(len(file)))
			defer r.Close()
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
				t.Errorf("who leaves: got %v", err)
			}
		})
	}
	leaves(first)
	<-g.reached
	leaves(second)
	leaves(second)
	until(t, func() bool { return k.Waiters() == 1 })
	leaves(third)
	stay.Go(func() { k.gets(third) })
	until(t, func() bool { return k.Waiters() == 2 })
	until(t, func() bool { return k.Readers() == 5 })
	leave()
	left.Wait()
	until(t, func() bool { return k.Waiters() == 1 })
	g.release()
	stay.Wait()
	k.awaitStored(first)
	if n := len(up.asked()); n != 2 {
		t.Errorf("upstream was asked %d times, want twice: not for what nobody waited for", n)
	}
	k.gets(second)
}

// TestClientsWhoLeaveAnother has a client of a file that another process fetches,
// who leaves.
func TestClientsWhoLeaveAnother(t *testing.T) {
	t.Parallel()
	d := dbtest.SQLite(t)
	file := fileOf(12, 100)
	if leased, err := d.LeaseFetch(t.Context(), content.Digest(digest(file)), "another", time.Hour); err != nil || !leased {
		t.Fatalf("got %t, %v", leased, err)
	}
	k := newDesk(t, d, demand.Options{}, newUpstream(t, gives(file)))
	ctx, leave := context.WithCancel(t.Context())
	r := k.Open(ctx, digest(file), int64(len(file)))
	read := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	until(t, func() bool { return k.Taken() == 1 })
	until(t, func() bool { return k.Taken() == 0 })
	leave()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	r.Close()
	until(t, func() bool { return k.Flights() == 0 })
}

// warnings counts what is logged, and the files that it is about.
type warnings struct {
	slog.Handler
	records, files atomic.Int64
}

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.records.Add(1)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "files" {
			w.files.Add(a.Value.Int64())
		}
		return true
	})
	return nil
}

// TestCrowdThatWaits has more files that are asked for than may wait for their turn:
// the clients of the others are told at once, and the log not of each.
func TestCrowdThatWaits(t *testing.T) {
	t.Parallel()
	const away = 50
	first, second := fileOf(100, 100), fileOf(101, 100)
	g := newGate(t, first, 50)
	logged := &warnings{}
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Fetches: 1, Waiting: 1, Busy: time.Hour, Log: slog.New(logged)}, newUpstream(t, g.ServeHTTP, gives(second)))
	var all sync.WaitGroup
	all.Go(func() { k.gets(first) })
	<-g.reached
	all.Go(func() { k.gets(second) })
	until(t, func() bool { return k.Waiters() == 1 })
	began := time.Now()
	for i := range away {
		if _, err := k.read(fileOf(byte(i), 100)); !fault.Is(err, fault.Unavailable) || isUpstream(err) {
			t.Errorf("one more: got %v", err)
		}
	}
	if n, most := logged.records.Load(), 1+int64(time.Since(began)/time.Second); n < 1 || n > most {
		t.Errorf("%d warnings were logged, want %d at most", n, most)
	}
	if n := logged.files.Load(); n < 1 || n > away {
		t.Errorf("%d files were logged of %d", n, away)
	}
	g.release()
	all.Wait()
}

// TestSlowReadersOfParts has as many clients who read parts slowly as files may
// be fetched at once: others get theirs all the same.
func TestSlowReadersOfParts(t *testing.T) {
	t.Parallel()
	file, other := fileOf(18, 1<<20), fileOf(19, 1<<20)
	dir := t.TempDir()
	blobs, err := blob.NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	k := newDeskOn(t, dbtest.SQLite(t), blobs, demand.Options{Fetches: 2, Busy: time.Second}, newUpstream(t, gives(file), gives(file), gives(other)))
	slow := make([]*demand.Reader, 2)
	for i := range slow {
		slow[i] = k.Open(t.Context(), digest(file), int64(len(file)))
		defer slow[i].Close()
		slow[i].Only(0, small)
		if _, err := io.ReadFull(slow[i], make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := k.read(other); err != nil || !bytes.Equal(got, other) {
		t.Fatalf("another client: got %d bytes, %v", len(got), err)
	}
	k.awaitStored(other)
	if left, err := filepath.Glob(filepath.Join(dir, "tmp", "*", "*", "*")); len(left) > 0 || err != nil {
		t.Errorf("staged are %q, %v", left, err)
	}
	for _, r := range slow {
		if got, err := io.ReadAll(io.LimitReader(r, small-1)); err != nil || !bytes.Equal(got, file[1:small]) {
			t.Errorf("who is slow: got %d bytes, %v", len(got), err)
		}
	}
}

// TestOnePartForMany has many clients ask for the same part at once, of whom some
// leave before it is there.
func TestOnePartForMany(t *testing.T) {
	t.Parallel()
	file := fileOf(18, 1<<20)
	asked, give := make(chan struct{}, 2), make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-give:
			gives(file)(w, r)
		case <-r.Context().Done():
			asked <- struct{}{}
		}
	})
	k := newDesk(t, dbtest.SQLite(t), demand.Options{}, up)
	open := func(ctx context.Context) *demand.Reader {
		r := k.Open(ctx, digest(file), int64(len(file)))
		r.Only(0, small)
		return r
	}
	waiting := func(n int) {
		t.Helper()
		until(t, func() bool { return k.PartReaders() == n })
	}
	leaving, leave := context.WithCancel(t.Context())
	var left, read sync.WaitGroup
	for range 3 {
		left.Go(func() {
			r := open(leaving)
			defer r.Close()
			if n, err := r.Read(make([]byte, 1)); n > 0 || !errors.Is(err, context.Canceled) {
				t.Errorf("who leaves: got %d, %v", n, err)
			}
		})
	}
	waiting(3)
	<-asked
	leave()
	left.Wait()
	<-asked // it was given up, as nobody waited any more

	slow := open(t.Context())
	defer slow.Close()
	for range 20 {
		read.Go(func() {
			r := open(t.Context())
			defer r.Close()
			if got, err := io.ReadAll(io.LimitReader(r, small)); err != nil || !bytes.Equal(got, file[:small]) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
	read.Go(func() {
		if _, err := io.ReadFull(slow, make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
	waiting(21)
	close(give)
	read.Wait()
	if n := len(up.asked()); n != 2 {
		t.Errorf("upstream was asked %d times, want twice: for those who left, and for all others", n)
	}
	if got, err := io.ReadAll(io.LimitReader(slow, small-1)); err != nil || !bytes.Equal(got, file[1:small]) {
		t.Errorf("who is slow: got %d bytes, %v", len(got), err)
	}
}

// TestPartsNeedRoom has a storage that should get nothing more: what parts of
// files are read from lies there too.
func TestPartsNeedRoom(t *testing.T) {
	t.Parallel()
	file := fileOf(18, 1<<20)
	k := newDesk(t, dbtest.SQLite(t), demand.Options{}, newUpstream(t, gives(file)))
	k.room = fault.New(fault.Unavailable, "the disk is full")
	r := k.another().Open(t.Context(), digest(file), int64(len(file)))
	defer r.Close()
	r.Only(0, 10)
	if n, err := r.Read(make([]byte, 10)); n > 0 || !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %d, %v", n, err)
	}
}

// TestNotRecorded has a large file that comes as it should, and cannot be recorded:
// those who read it get it, and those who come after them the reason.
func TestNotRecorded(t *testing.T) {
	t.Parallel()
	file := fileOf(23, 1<<20)
	up := newUpstream(t, gives(file))
	k := newDesk(t, dbtest.SQLite(t), demand.Options{Forget: time.Hour}, up)
	k.keeps = func() error { return fault.New(fault.Unavailable, "the database is away") }
	k = k.another()
	var err error
	until(t, func() bool {
		var got []byte
		got, err = k.read(file)
		if err == nil && !bytes.Equal(got, file) {
			t.Fatalf("got %d other bytes", len(got))
		}
		return err != nil
	})
	for range 3 {
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "the database is away") {
			t.Fatalf("who comes later: got %v", err)
		}
		_, err = k.read(file)
	}
	if n := len(up.asked()); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}

	k.options.Forget = time.Millisecond
	failed := false
	k.keeps = func() error {
		if failed {
			return nil
		}
		failed = true
		return fault.New(fault.Unavailable, "the database is away")
	}
	k = k.another()
	until(t, func() bool {
		k.read(file)
		return k.holds(file)
	})
	k.gets(file)
}

// TestClose ends a fetch in the middle: whoever comes next can begin at once.
func TestClose(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		file := fileOf(16, 1<<20)
		g := newGate(t, file, 1<<19)
		k := newDesk(t, d, demand.Options{Lease: time.Hour}, newUpstream(t, g.ServeHTTP))
		read := make(chan error, 1)
		go func() { _, err := k.read(file); read <- err }()
		<-g.reached
		k.Close()
		if err := <-read; !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
		if _, err := k.read(file); !fault.Is(err, fault.Unavailable) {
			t.Errorf("after the end: got %v", err)
		}
		if leased, err := d.LeaseFetch(t.Context(), content.Digest(digest(file)), "another", time.Hour); err != nil || !leased {
			t.Errorf("the lease: got %t, %v", leased, err)
		}
		if k.holds(file) {
			t.Error("half a file is stored")
		}
	})
}

// breaksPart answers with the half of a part, and breaks off. It does not say what
// it could go on by.
func breaksPart(file []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		part := httptest.NewRecorder()
		gives(file)(part, r)
		maps.Copy(w.Header(), part.Header())
		w.WriteHeader(part.Code)
		breaks(part.Body.Bytes(), part.Body.Len()/2)(w, r)
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	d, blobs := dbtest.SQLite(t), newDisk(t)
	file := fileOf(17, 1<<20)
	for i, tt := range []struct {
		name           string
		steps          []func(file []byte) http.HandlerFunc
		size           int // of the file
		offset, length int
		want           []string // the ranges that upstream is asked for
	}{
		{"large", []func([]byte) http.HandlerFunc{gives}, len(file), 1000, 500, []string{"bytes=1000-1499"}},
		{"as large as a small file", []func([]byte) http.HandlerFunc{gives}, len(file), 0, small, []string{fmt.Sprintf("bytes=0-%d", small-1)}},
		{"larger than a small file", []func([]byte) http.HandlerFunc{gives}, len(file), 0, small + 1, []string{""}},
		{"the end", []func([]byte) http.HandlerFunc{gives}, len(file), len(file) - 100, 100, []string{fmt.Sprintf("bytes=%d-%d", len(file)-100, len(file)-1)}},
		{"of a small file", []func([]byte) http.HandlerFunc{gives}, small, 1000, 500, []string{""}},
		{"of an upstream without parts", []func([]byte) http.HandlerFunc{asWhole}, len(file), 1000, 500, []string{"bytes=1000-1499", ""}},
		{"of an upstream that breaks off", []func([]byte) http.HandlerFunc{breaksPart, gives}, len(file), 1000, 500, []string{"bytes=1000-1499", "bytes=1000-1499"}},
		{"of an upstream that failed", []func([]byte) http.HandlerFunc{func([]byte) http.HandlerFunc { return status(500) }, gives}, len(file), 1000, 500, []string{"bytes=1000-1499", "bytes=1000-1499"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := fileOf(byte(20+i), tt.size)
			var steps []http.HandlerFunc
			for _, step := range tt.steps {
				steps = append(steps, step(file))
			}
			up := newUpstream(t, steps...)
			k := newDeskOn(t, d, blobs, demand.Options{}, up)
			r := k.Open(t.Context(), digest(file), int64(tt.size))
			defer r.Close()
			r.Only(int64(tt.offset), int64(tt.length))
			if _, err := r.Seek(int64(tt.offset), io.SeekStart); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, tt.length)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, file[tt.offset:tt.offset+tt.length]) {
				t.Errorf("got %v", err)
			}
			if asked := up.asked(); !slices.Equal(asked, tt.want) {
				t.Errorf("asked for %q, want %q", asked, tt.want)
			}
		})
	}
	t.Run("wrong", func(t *testing.T) {
		t.Parallel()
		k := newDesk(t, d, demand.Options{}, newUpstream(t, gives(file[:len(file)-1])))
		r := k.Open(t.Context(), digest(file), int64(len(file)))
		defer r.Close()
		r.Only(0, 10)
		if n, err := r.Read(make([]byte, 10)); n > 0 || !isUpstream(err) {
			t.Errorf("got %d, %v", n, err)
		}
	})
}
