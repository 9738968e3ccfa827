package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/fetch"
	"ream/format/file"
	"ream/task"
)

type syncArgs struct {
	Repository content.RepositoryID `json:"repository"`
	Mirror     bool                 `json:"mirror"`
	OnError    content.OnError      `json:"onError,omitzero"`
}

func newSync(r *content.Repository, mirror bool, onError content.OnError, p task.Priority) (task.New, error) {
	if r.RemoteID == 0 {
		return task.New{}, fault.Input("repositories", "%q has no remote to sync from: give it one", r.Name)
	}
	return task.New{Kind: SyncKind, Name: "sync " + r.Name, Args: syncArgs{r.ID, mirror, onError}, Priority: p,
		RepositoryID: int64(r.ID),
		Reservations: reserve(task.Exclusive, r.ID), Dedupe: fmt.Sprintf("sync %d %t %t %s", r.ID, mirror, onError == content.Skip, p)}, nil
}

// maxManifest bounds a manifest: ten million lines or so.
const maxManifest = 2 << 30

// sync fetches what a repository's remote has now and makes a new version if
// anything changed. What was verified stays stored even if it fails.
func (c *Catalog) sync(ctx context.Context, run *task.Run) error {
	var args syncArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	failures, err := c.newFailures(ctx, run)
	if err != nil {
		return err
	}
	up, err := c.readUpstream(ctx, run, args.Repository)
	if err != nil {
		return err
	}
	defer up.manifest.remove()

	fingerprint := fingerprint(up.remote, args.Mirror, up.manifest.sha256)
	synced, version, err := c.DB.Synced(ctx, up.repository.ID)
	if err != nil {
		return err
	}
	if synced == fingerprint && version == up.repository.LatestID {
		return nil
	}
	for tries := 1; ; tries++ {
		s := &syncing{c: c, run: run, source: up.source, base: up.base, remote: up.remote, connections: up.remote.Connections, skips: args.OnError == content.Skip,
			keeper: newKeeper(c), failures: failures}
		s.keeper.first = up.repository.LatestID == 0
		err := s.fetchAll(ctx, up.manifest)
		if err == nil {
			if s.failed != nil {
				fingerprint = "" // the next sync tries again
			}
			err = s.finish(ctx, up.repository, args.Mirror, fingerprint)
		}
		if tries == maxCleaned || !errors.Is(err, db.ErrCleaned) {
			return err
		}
		if err := failures.restart(ctx); err != nil {
			return err
		}
	}
}

// upstream is what a repository's remote has now.
type upstream struct {
	repository *content.Repository
	remote     *content.Remote
	source     *fetch.Source
	base       *url.URL // of the remote
	manifest   fetchedManifest
}

// readUpstream fetches the manifest of a repository's remote, which the caller
// has to remove.
func (c *Catalog) readUpstream(ctx context.Context, run *task.Run, id content.RepositoryID) (*upstream, error) {
	repository, err := one(c.DB.RepositoriesByID(ctx, []content.RepositoryID{id}))
	if err != nil {
		return nil, missing(err, id)
	}
	if repository.RemoteID == 0 {
		return nil, fault.New(fault.Conflict, "%q has no remote any more", repository.Name)
	}
	remote, err := one(c.DB.RemotesByID(ctx, []content.RemoteID{repository.RemoteID}))
	if err != nil {
		return nil, missing(err, repository.RemoteID)
	}
	base, err := url.Parse(remote.URL)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadInput, "the remote's URL is not valid")
	}
	source, err := c.source(remote)
	if err != nil {
		return nil, err
	}
	manifest, err := c.fetchManifest(ctx, run, source, remote.URL)
	return &upstream{repository, remote, source, base, manifest}, err
}

// maxCleaned is how often a sync goes through its files, if what it found among
// those that no version named is removed each time. Once is rare already.
const maxCleaned = 3

// fingerprint tells whether a sync would lead to anything else than the last
// one. Credentials, headers and the ways to connect may lead to other metadata,
// which is fetched by them before this is asked, and not to other files of the
// same metadata: those are known by their digests.
func fingerprint(r *content.Remote, mirror bool, metadata string) string {
	return fmt.Sprintf("%s %t %s %s", metadata, mirror, r.Policy, r.URL)
}

// fetchedManifest is a manifest on disk, in a file without a name: it is gone
// when it is closed, however the process ends.
type fetchedManifest struct {
	f      *os.File
	sha256 string
}

func (m fetchedManifest) remove() { m.f.Close() }

// fetchManifest keeps the manifest in a file, so that whether it changed is
// known before it is read, and memory does not grow with it.
func (c *Catalog) fetchManifest(ctx context.Context, run *task.Run, source *fetch.Source, address string) (fetchedManifest, error) {
	run.Progress.Report("sync.manifest", "Fetching the manifest", task.Items, 0, 1)
	f, err := os.CreateTemp("", "ream-manifest-*")
	if err != nil {
		return fetchedManifest{}, full(fmt.Errorf("create a file for the manifest: %w", err))
	}
	m := fetchedManifest{f: f}
	if err := os.Remove(f.Name()); err != nil {
		m.remove()
		return fetchedManifest{}, fmt.Errorf("unlink the file for the manifest: %w", err)
	}
	sink := &fileSink{f: f}
	result, err := source.Get(ctx, fetch.Request{URL: address, Size: -1, MaxBytes: maxManifest}, sink)
	if err != nil {
		m.remove()
		return fetchedManifest{}, err
	}
	m.sha256 = result.SHA256
	if _, err := f.Seek(0, 0); err != nil {
		m.remove()
		return fetchedManifest{}, fmt.Errorf("read the manifest: %w", err)
	}
	run.Progress.Report("sync.manifest", "Fetching the manifest", task.Items, 1, 1)
	return m, nil
}

// fileSink is a download's destination that can start anew.
type fileSink struct{ f *os.File }

func (s *fileSink) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	return n, full(err)
}

func (s *fileSink) Reset() error {
	if err := s.f.Truncate(0); err != nil {
		return err
	}
	_, err := s.f.Seek(0, 0)
	return err
}

// full tells a full disk from other errors of temporary files.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.Unavailable, "the disk for temporary files is full: free some space and try again")
	}
	return err
}

// syncing is one sync under way.
type syncing struct {
	c           *Catalog
	run         *task.Run
	source      *fetch.Source
	base        *url.URL
	remote      *content.Remote
	connections int
	skips       bool // whether files that fail are left out
	keeper      *keeper
	failures    *failures

	total, inBytes int64 // of the manifest

	mu           sync.Mutex
	files, bytes int64 // done
	failed       error // the first failure of a file, in the order of the manifest
	failedLine   int
	unanswered   int   // failures of files, one after the other, by which upstream may be away
	away         error // the last of them, once there are so many that it is
	untried      int64 // files that were not begun as it is away
	over         error // why no more files are begun, whatever becomes of those that fail
}

// lookAt is how many units are looked up at once.
const lookAt = 1000

// fetchAll reads the manifest twice: once to check it whole and to know the
// totals, once to fetch what is not stored yet.
func (s *syncing) fetchAll(ctx context.Context, m fetchedManifest) error {
	if _, err := m.f.Seek(0, 0); err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	if err := file.Parse(m.f, func(e file.Entry) error {
		s.total++
		s.inBytes += e.Size
		return ctx.Err()
	}); err != nil {
		return err
	}
	s.report()
	if _, err := m.f.Seek(0, 0); err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	var keeping errgroup.Group
	// Also when canceled: what is here need not be fetched again.
	keeping.Go(func() error { return s.keeper.run(context.WithoutCancel(ctx)) })
	var fetching sync.WaitGroup
	missing := make(chan wanted)
	// Not a goroutine for each file, which would grow its stack anew each time.
	for range s.connections {
		fetching.Go(func() {
			for w := range missing {
				if err := s.fetch(ctx, w); err != nil {
					s.end(err)
				}
			}
		})
	}
	err := s.wantAll(ctx, m, missing)
	close(missing)
	fetching.Wait()
	s.keeper.end()
	kept := keeping.Wait()
	told := s.failures.flush(context.WithoutCancel(ctx))
	if ended := cmp.Or(ctx.Err(), s.over, s.isAway(), err, kept, told); ended != nil || s.skips {
		return ended
	}
	return s.failed
}

// wantAll asks for everything that the manifest names. What has to be fetched
// goes to missing.
func (s *syncing) wantAll(ctx context.Context, m fetchedManifest, missing chan<- wanted) error {
	all, line := make([]wanted, 0, lookAt), 0
	if err := file.ParseAgain(m.f, func(e file.Entry) error {
		line++
		all = append(all, wanted{&content.Unit{Format: content.File, Path: e.Path, SHA256: e.SHA256, Size: e.Size}, line})
		if len(all) < lookAt {
			return nil
		}
		err := s.want(ctx, all, missing)
		all = all[:0]
		return err
	}); err != nil {
		return err
	}
	return s.want(ctx, all, missing)
}

// want does so for units that are looked up at once. Those whose artifacts are
// there, or already asked for, need no more, nor do those that are to be fetched
// on demand.
func (s *syncing) want(ctx context.Context, all []wanted, missing chan<- wanted) error {
	digests := make([]content.Digest, len(all))
	for i, w := range all {
		digests[i] = w.SHA256
	}
	s.keeper.forget()
	known, err := s.c.DB.FindArtifacts(ctx, digests)
	if err != nil {
		return err
	}
	var found, left []*content.Unit
	var needed []content.Digest
	for _, w := range all {
		size, ok := known[w.SHA256]
		if !ok && s.remote.Policy == content.OnDemand {
			left = append(left, w.Unit)
			s.done(0)
			continue
		}
		if !ok {
			var first bool
			if first, size = s.keeper.expect(w); first {
				if err := s.stopsBefore(w); err != nil {
					s.leaveOut(s.total - int64(w.line) + 1)
					return err
				}
				missing <- w
				continue
			}
		}
		s.done(w.Size)
		if size >= 0 {
			fits, err := s.fits(ctx, w, size)
			if err != nil {
				return err
			}
			if fits {
				found = append(found, w.Unit)
			}
			if fits && ok {
				needed = append(needed, w.SHA256)
			}
		}
	}
	if err := s.keeper.add(nil, found, needed...); err != nil {
		return err
	}
	if err := s.keeper.leave(s.remote.ID, left); err != nil {
		return err
	}
	return ctx.Err()
}

// fetch downloads a unit's artifact and keeps every unit that waits for it. If
// the artifact is not where the unit says, it is sought where those do. An error
// is not of a file, and ends the sync.
func (s *syncing) fetch(ctx context.Context, w wanted) error {
	for {
		if s.stopsBefore(w) != nil {
			s.leaveOut(1)
			return nil
		}
		staged, err := s.download(ctx, w.Unit)
		if err == nil {
			return s.land(ctx, w, staged)
		}
		broken, ok := errors.AsType[*brokenFile](err)
		if !ok {
			return err
		}
		if err := s.fail(ctx, w, broken.err); err != nil {
			return err
		}
		next, waits := s.keeper.lose(w.SHA256)
		if !waits {
			return nil
		}
		w = next
		s.add(-1, -w.Size) // it was counted as done
	}
}

// land keeps the units that wait for an artifact that was fetched.
func (s *syncing) land(ctx context.Context, w wanted, staged blob.Staged) error {
	waiting, err := s.keeper.land(w.SHA256, staged)
	if err != nil {
		return err
	}
	var landed []*content.Unit
	for _, w := range waiting {
		fits, err := s.fits(ctx, w, staged.Size)
		if err != nil {
			return err
		}
		if fits {
			landed = append(landed, w.Unit)
		}
	}
	return s.keeper.add(landed, nil)
}

// fits reports whether a unit's artifact, which is there, has the size that the
// manifest says. If not, the unit is one that failed.
func (s *syncing) fits(ctx context.Context, w wanted, size int64) (bool, error) {
	if w.Size == size {
		return true, nil
	}
	return false, s.fail(ctx, w, fault.New(fault.BadInput, "%s: the manifest says %d bytes, but the file with this SHA-256 has %d", w.Path, w.Size, size))
}

// download fetches a unit's artifact. It fails with a *brokenFile if upstream
// does not give it as it should be.
func (s *syncing) download(ctx context.Context, u *content.Unit) (blob.Staged, error) {
	if ctx.Err() != nil {
		return blob.Staged{}, ctx.Err()
	}
	if err := s.c.DB.Room(); err != nil {
		return blob.Staged{}, err
	}
	w, err := s.c.Blobs.CreateSized(u.Size)
	if err != nil {
		return blob.Staged{}, err
	}
	counted := &countingSink{Writer: w, s: s}
	if _, err := s.source.Get(ctx, fetch.Request{URL: s.address(u.Path), Size: u.Size, SHA256: string(u.SHA256)}, counted); err != nil {
		w.Abort()
		s.add(0, -counted.n)
		if ctx.Err() == nil && counted.err == nil && fault.KindOf(err) != fault.Internal {
			err = &brokenFile{err}
		}
		return blob.Staged{}, err
	}
	s.add(1, 0)
	s.answered()
	return w.Finish()
}

func (s *syncing) address(path string) string { return address(s.base, path) }

// address is where a file lies upstream: beside the manifest, whose directory
// stays as it is escaped, since %2F is no slash to some servers.
func address(manifest *url.URL, path string) string {
	u := *manifest
	u.RawQuery, u.Fragment, u.RawFragment = "", "", ""
	escaped := u.EscapedPath()
	escaped = escaped[:strings.LastIndex(escaped, "/")+1]
	dir, _ := url.PathUnescape(escaped) // which was parsed before
	u.Path, u.RawPath = dir+path, escaped+(&url.URL{Path: path}).EscapedPath()
	return u.String()
}

// roomEvery is after how many bytes of a file it is made sure again that there
// is room for more.
const roomEvery = 256 << 10

// countingSink counts the bytes of a download as they arrive.
type countingSink struct {
	*blob.Writer
	s   *syncing
	n   int64
	err error // why it took no more
}

func (w *countingSink) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	before := w.n
	w.n += int64(n)
	w.s.add(0, int64(n))
	if err == nil && before/roomEvery != w.n/roomEvery {
		err = w.s.c.DB.Room()
	}
	w.err = err
	return n, err
}

func (w *countingSink) Reset() error {
	w.s.add(0, -w.n)
	w.n = 0
	w.err = w.Writer.Reset()
	return w.err
}

// done counts a file that need not be fetched.
func (s *syncing) done(size int64) { s.add(1, size) }

func (s *syncing) add(files, bytes int64) {
	s.mu.Lock()
	s.files += files
	s.bytes += bytes
	s.mu.Unlock()
	s.report()
}

func (s *syncing) report() {
	s.mu.Lock()
	files, bytes := s.files, s.bytes
	s.mu.Unlock()
	s.run.Progress.Report("sync.files", "Files", task.Items, files, s.total)
	if s.remote.Policy == content.OnDemand {
		return
	}
	s.run.Progress.Report("sync.bytes", "Bytes", task.Bytes, bytes, s.inBytes)
}

// finish makes a new version if what upstream has is not what the newest
// version has.
func (s *syncing) finish(ctx context.Context, repository *content.Repository, mirror bool, fingerprint string) error {
	units := s.keeper.units
	slices.Sort(units)
	members, err := s.c.DB.Members(ctx, repository.ID)
	if err != nil {
		return err
	}
	added, removed := difference(units, members)
	if !mirror {
		removed = nil
	}
	if s.failed != nil && len(removed) > 0 {
		// What failed may be back tomorrow, and what was there before is better than nothing.
		spared, err := s.c.DB.MembersAtFailures(ctx, repository.ID, s.run.Task.ID)
		if err != nil {
			return err
		}
		removed, _ = difference(removed, spared)
	}
	return s.c.revise(ctx, s.run, revision{repository, added, removed}, func(tx *db.Tx, latest content.VersionID) error {
		return tx.SetSynced(ctx, repository.ID, fingerprint, latest)
	})
}
