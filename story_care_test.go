package main_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ream/blob/blobtest"
	"ream/db/dbtest"
)

// depot is where a program stores bytes, as tests get at it.
type depot struct {
	location    string // as --storage takes it
	spoil       func(digest, body string)
	age         func(by time.Duration)
	begin       func(ago time.Duration) (left func() bool)
	quarantined func() int
	vanish      func() (back func())
}

// depots are the kinds of storage.
var depots = map[string]func(*testing.T) depot{"disk": diskDepot, "s3": s3Depot}

// eachStorage runs a story with every kind of storage, each beside another kind
// of database, if there is one at hand.
func eachStorage(t *testing.T, story func(t *testing.T, p *program)) {
	t.Parallel()
	for name, open := range depots {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, startOn(t, name == "s3", "--storage", open(t).location))
		})
	}
}

// startOn runs a server with a directory of its own, on PostgreSQL if that is
// wanted and at hand, and else on SQLite.
func startOn(t *testing.T, postgres bool, args ...string) *program {
	t.Helper()
	args = append(args, "--data", t.TempDir())
	if postgres && os.Getenv(dbtest.Variable) != "" {
		args = append(args, "--database", dbtest.PostgresAddress(t))
	}
	return start(t, args...)
}

// eachDepot runs a story with every kind of database and of storage.
func eachDepot(t *testing.T, story func(t *testing.T, p *program, d depot)) {
	t.Parallel()
	for name, open := range depots {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, args ...string) {
				d := open(t)
				story(t, start(t, append(args, "--storage", d.location)...), d)
			})
		})
	}
}

func diskDepot(t *testing.T) depot {
	dir := t.TempDir()
	return depot{
		location:    dir,
		spoil:       func(digest, body string) { blobtest.SpoilDisk(t, dir, digest, body) },
		age:         func(by time.Duration) { blobtest.Age(t, filepath.Join(dir, "sha256"), by) },
		begin:       func(ago time.Duration) func() bool { return blobtest.BeginOnDisk(t, dir, ago) },
		quarantined: func() int { return len(blobtest.QuarantinedOnDisk(t, dir)) },
		vanish:      func() func() { return blobtest.VanishFromDisk(t, dir) },
	}
}

func s3Depot(t *testing.T) depot {
	s3 := blobtest.StartS3(t)
	bucket := s3.Bucket(t)
	return depot{
		location:    s3.Location(bucket),
		spoil:       func(digest, body string) { s3.Spoil(t, bucket, digest, body) },
		age:         func(by time.Duration) { blobtest.Age(t, filepath.Join(s3.Dir, "data", bucket), by) },
		begin:       func(ago time.Duration) func() bool { return s3.Begin(t, bucket, ago) },
		quarantined: func() int { return len(s3.Quarantined(t, bucket)) },
		vanish:      func() func() { return s3.Vanish(t, bucket) },
	}
}

func hexOf(body string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(body))) }

// ageArtifacts makes everything that is stored older.
func (p *program) ageArtifacts(d depot) {
	p.t.Helper()
	d.age(48 * time.Hour)
	database := p.openDatabase()
	defer database.Close()
	if _, err := database.ExecContext(p.t.Context(), fmt.Sprintf(`UPDATE artifact SET created_at = created_at - %d`, (48*time.Hour).Microseconds())); err != nil {
		p.t.Fatal(err)
	}
}

// reported are the reports of a task: how many of each code.
func (p *program) reported(id string) map[string]int64 {
	p.t.Helper()
	reported := map[string]int64{}
	for _, r := range query[struct {
		Task struct {
			Reports []struct {
				Code string
				Done int64
			}
		}
	}](p, `query($id: ID!) { task(id: $id) { reports { code done } } }`, map[string]any{"id": id}).Task.Reports {
		reported[r.Code] = r.Done
	}
	return reported
}

// TestOrphansAreCleaned deletes a repository and cleans what only it had, by
// every way in.
func TestOrphansAreCleaned(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, d depot) {
		up := newUpstream(t, map[string][]byte{"a": []byte("kept by the other"), "b": []byte("an orphan")})
		p.repository("goes", up.URL+"/PULP_MANIFEST")
		if last := p.sync("goes", true); last.State != "COMPLETED" {
			t.Fatalf("sync: got %+v", last)
		}
		up.set(func() { up.files = map[string][]byte{"a": []byte("kept by the other")} })
		p.repository("stays", up.URL+"/PULP_MANIFEST")
		p.follow(p.mirror("stays"))
		query[any](p, `mutation { deleteRepository(id: "repository-1") { id } }`, nil)

		clean := func(hours int) map[string]int64 {
			id := query[struct{ CleanOrphans struct{ ID string } }](p, `mutation($h: Int!) { cleanOrphans(input: {graceHours: $h}) { ... on Work { id } } }`, map[string]any{"h": hours}).CleanOrphans.ID
			if last := p.follow(id); last.State != "COMPLETED" {
				t.Fatalf("clean: got %+v", last)
			}
			return p.reported(id)
		}
		if got := clean(1); got["clean.artifacts"]+got["clean.blobs"] != 0 {
			t.Errorf("of what is new: got %v, want nothing removed", got)
		}
		left := d.begin(48 * time.Hour)
		p.ageArtifacts(d)
		if got := clean(72); got["clean.artifacts"] != 0 {
			t.Errorf("within the grace: got %v, want nothing removed", got)
		}
		if !left() {
			t.Error("within the grace: what was begun is gone")
		}
		if got := clean(24); got["clean.artifacts"] != 1 || got["clean.bytes"] != int64(len("an orphan")) {
			t.Errorf("got %v, want the orphan removed", got)
		}
		if left() {
			t.Error("what somebody began and never finished is still there")
		}
		if got := p.fetched("/content/stays/a"); got != "kept by the other" {
			t.Errorf("what stays: got %q", got)
		}
		if out := p.ream("clean", "--grace-hours", "24"); !strings.HasPrefix(out, "task-") || !strings.Contains(out, "Artifacts removed that nothing names: 0") {
			t.Errorf("by the command: got %q", out)
		}
		response, err := http.Post(p.address+"/api/v1/cleanOrphans", "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			t.Errorf("by REST: got %s", response.Status)
		}
		// What comes back is fetched again.
		up.set(func() { up.files = map[string][]byte{"b": []byte("an orphan")} })
		p.follow(p.mirror("stays"))
		if got := p.fetched("/content/stays/b"); got != "an orphan" {
			t.Errorf("what came back: got %q", got)
		}
	})
}

// TestDamageIsMended changes bytes in the storage: they are never served, and
// verifying fetches them again.
func TestDamageIsMended(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, d depot) {
		large := strings.Repeat("large ", 50_000)
		up := newUpstream(t, map[string][]byte{"small": []byte("small"), "large": []byte(large), "lost": []byte("lost")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if last := p.follow(p.mirror("r")); last.State != "COMPLETED" {
			t.Fatalf("mirror: got %+v", last)
		}
		d.spoil(hexOf("small"), "smaLl")
		d.spoil(hexOf(large), strings.Replace(large, "l", "L", 1))
		if got := p.fetched("/content/r/small"); got != "500 Internal Server Error" {
			t.Errorf("a small file that is damaged: got %q", got)
		}
		out := p.ream("verify", "r")
		for _, want := range []string{"DAMAGED " + hexOf("small") + " small: fetched again from " + up.URL + "/small", "DAMAGED " + hexOf(large) + " large: fetched again", "Artifacts compared with their digests: 4"} {
			if !strings.Contains(out, want) {
				t.Errorf("verify: got %q, want %q in it", out, want)
			}
		}
		for path, want := range map[string]string{"small": "small", "large": large, "lost": "lost"} {
			if got := p.fetched("/content/r/" + path); got != want {
				t.Errorf("%s, mended: got %.40q", path, got)
			}
		}
		if got := d.quarantined(); got != 2 {
			t.Errorf("moved aside: got %d, want 2", got)
		}

		// Upstream does not have it any more.
		d.spoil(hexOf("lost"), "l0st")
		up.set(func() { up.files = map[string][]byte{} })
		id := query[struct{ VerifyContent struct{ ID string } }](p, `mutation { verifyContent(input: {}) { ... on Work { id } } }`, nil).VerifyContent.ID
		if last := p.follow(id); last.State != "FAILED" || last.Error == nil || last.Error.Code != "NOT_FOUND" {
			t.Errorf("of what is lost: got %+v", last)
		}
		if got := p.fetched("/content/r/lost"); strings.Contains(got, "l0st") {
			t.Errorf("what is lost: got %q", got)
		}
		response, err := http.Get(p.address + "/api/v1/tasks/" + id + "/findings")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var listed struct {
			Findings []struct{ Path, SHA256, Problem, Remedy string }
		}
		if err := json.NewDecoder(response.Body).Decode(&listed); err != nil || len(listed.Findings) != 1 {
			t.Fatalf("findings: got %+v, %v", listed, err)
		}
		if f := listed.Findings[0]; f.Path != "lost" || f.SHA256 != hexOf("lost") || f.Problem != "DAMAGED" || f.Remedy != "NONE" {
			t.Errorf("finding: got %+v", f)
		}

		// The next sync gets what is back.
		up.set(func() {
			up.files = map[string][]byte{"small": []byte("small"), "large": []byte(large), "lost": []byte("lost")}
		})
		if last := p.sync("r", true); last.State != "COMPLETED" {
			t.Fatalf("sync: got %+v", last)
		}
		if got := p.fetched("/content/r/lost"); got != "lost" {
			t.Errorf("once synced: got %q", got)
		}
		type figures struct{ ArtifactCount, Bytes, OwnBytes, SharedBytes, QuarantinedCount int64 }
		for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
			got := query[struct {
				Storage    *figures
				Repository struct{ Storage *figures }
			}](p, `{ storage { artifactCount bytes quarantinedCount } repository(name: "r") { storage { artifactCount ownBytes sharedBytes } } }`, nil)
			if got.Storage != nil && got.Repository.Storage != nil && got.Storage.QuarantinedCount == 0 && got.Storage.ArtifactCount == 4 &&
				got.Repository.Storage.ArtifactCount == 4 && got.Repository.Storage.OwnBytes == got.Storage.Bytes && got.Storage.Bytes > int64(len(large)) {
				break
			}
			if time.Since(began) > patience {
				t.Fatalf("figures: got %+v and %+v", got.Storage, got.Repository.Storage)
			}
		}

		// Prometheus is told the same, and of what is fetched later.
		p.onDemand("d", newUpstream(t, map[string][]byte{"one": bytesOf(100), "two": bytesOf(200)}))
		p.awaitMetrics(func(s scrape) bool {
			return s.value("ream_storage_unfetched_artifacts") == 2 && s.value("ream_storage_unfetched_bytes") == 300 &&
				s.value("ream_storage_artifacts") == 5 && s.value("ream_storage_bytes") > float64(len(large)) &&
				s.value("ream_storage_orphaned_artifacts") == 0 && s.value("ream_storage_orphaned_bytes") == 0 && s.value("ream_storage_quarantined_artifacts") == 0 &&
				time.Since(time.UnixMilli(int64(s.value("ream_storage_counted_timestamp_seconds")*1000))) < time.Hour
		})
	})
}
