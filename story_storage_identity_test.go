package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ream/db"
	"ream/db/dbtest"

	ream "ream"
)

// anotherDatabase is the program's arguments with a database that is new.
func (p *program) anotherDatabase() []string {
	p.t.Helper()
	args := append(slices.Clone(p.args), "--data", p.t.TempDir())
	if p.flag("--database") != "" {
		args = append(args, "--database", dbtest.PostgresAddress(p.t))
	}
	return args
}

// change changes the program's database, which is not open.
func (p *program) change(statements ...string) {
	p.t.Helper()
	database := p.openDatabase()
	defer database.Close()
	for _, statement := range statements {
		if _, err := database.ExecContext(p.t.Context(), statement); err != nil {
			p.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// mirrored has the program mirror files as the repository r.
func (p *program) mirrored(files map[string][]byte) {
	p.t.Helper()
	p.repository("r", newUpstream(p.t, files).URL+"/PULP_MANIFEST")
	if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
		p.t.Fatalf("mirror: got %+v %+v", got, got.Error)
	}
}

// TestStorageOfAnotherDatabase starts a server with a new database on a storage
// that belongs to another one. It does not start unless it is to take it over.
func TestStorageOfAnotherDatabase(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, d depot) {
		files := someFiles(10)
		another := p.anotherDatabase()
		wanted := func(when, message string) {
			t.Helper()
			if out := refused(t, another...); !strings.Contains(out, message) || !strings.Contains(out, "--adopt-storage") {
				t.Errorf("%s: got %q, want %q", when, out, message)
			}
		}
		wanted("while it is empty", "it belongs to another database")
		p.mirrored(files)
		wanted("while it is in use", "it belongs to another database")
		p.ageArtifacts(d)
		if out := p.ream("clean", "--grace-hours", "24"); !strings.Contains(out, "Blobs removed that no artifact names: 0") {
			t.Errorf("clean: got %q", out)
		}
		p.stop()
		wanted("afterwards", "it belongs to another database")
		p.start()
		p.servedAs("r", files)
		p.stop()

		adopting := start(t, append(slices.Clone(another), "--adopt-storage")...)
		adopting.stop()
		adopting.args = another
		adopting.start()
		if out := adopting.ream("clean", "--grace-hours", "24"); strings.Contains(out, "Blobs removed that no artifact names: 0") {
			t.Errorf("clean of who took it over: got %q", out)
		}
	})
}

// TestStorageWithoutIdentity starts servers on storages that have none, as an
// older release, a killed process or whoever copied the blobs alone leaves them.
func TestStorageWithoutIdentity(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, args...)
		identity := filepath.Join(p.flag("--data"), "artifacts", "identity")
		read := func() string {
			t.Helper()
			text, err := os.ReadFile(identity)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		remove := func() {
			t.Helper()
			if err := os.Remove(identity); err != nil {
				t.Fatal(err)
			}
		}
		first := read()
		p.stop()
		remove()
		if out := refused(t, p.args...); !strings.Contains(out, "--storage-lost") {
			t.Errorf("one that has nothing: got %q", out)
		}
		p.change(`UPDATE storage_identity SET settled = FALSE`)
		p.start()
		if got := read(); got != first {
			t.Errorf("after a start that was killed: got %q, want %q", got, first)
		}
		files := someFiles(10)
		p.mirrored(files)
		p.stop()

		remove()
		p.start()
		if got := read(); got != first {
			t.Errorf("a copy of the blobs: got %q, want %q", got, first)
		}
		p.stop()
		remove()
		p.change(`DELETE FROM storage_identity`)
		if out := refused(t, append(p.anotherDatabase(), "--storage", filepath.Dir(identity))...); !strings.Contains(out, "it has files, and the database names none") || !strings.Contains(out, "--adopt-storage") {
			t.Errorf("of an older release, with another database: got %q", out)
		}
		p.start()
		second := read()
		if second == first {
			t.Error("of an older release: the identity did not change")
		}
		p.servedAs("r", files)
		p.stop()
		p.start()
		p.servedAs("r", files)

		// As if somebody had exchanged what is mounted there, for another storage or a
		// copy of the blobs.
		for want, spoil := range map[string]func() error{
			"not this database's":   func() error { return os.WriteFile(identity, []byte(first), 0o600) },
			"has lost its identity": func() error { return os.Remove(identity) },
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			id := query[struct{ CleanOrphans struct{ ID string } }](p, `mutation { cleanOrphans(input: {graceHours: 1}) { ... on Work { id } } }`, nil).CleanOrphans.ID
			if got := p.follow(id); got.State != "FAILED" || got.Error.Code != "CONFLICT" || !strings.Contains(got.Error.Message, want) {
				t.Errorf("clean: got %+v %+v, want CONFLICT as it is %s", got, got.Error, want)
			}
		}
		if err := os.WriteFile(identity, []byte(second), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := p.ream("clean"); !strings.Contains(out, "Blobs removed that no artifact names: 0") {
			t.Errorf("clean, with its own: got %q", out)
		}
	})
}

// TestStoragesOfOneDatabase starts a worker on a storage of its own, beside a
// server that has another one.
func TestStoragesOfOneDatabase(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	p := start(t, "--data", t.TempDir(), "--database", address, "--workers", "0")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	out, err := command(t, path, "worker", "--data", elsewhere, "--database", address)
	if err == nil || !strings.Contains(out, "it is not the one that the database is used with") {
		t.Errorf("got %v, %q", err, out)
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("it made %v, %v", left, err)
	}
	worker := &program{t: t, args: []string{"--data", elsewhere, "--database", address, "--storage", filepath.Join(p.flag("--data"), "artifacts"), "--workers", "4"}, tmp: t.TempDir()}
	worker.start()
	t.Cleanup(worker.kill)
	files := someFiles(3)
	p.mirrored(files)
	p.servedAs("r", files)
}

// TestStorageIsTiedAtOnce has many processes start at once, with two storages. All
// that start have the same.
func TestStorageIsTiedAtOnce(t *testing.T) {
	t.Parallel()
	address, data := dbtest.PostgresAddress(t), t.TempDir()
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		store := dbtest.Open(t, address, db.Options{})
		all.Go(func() {
			errs[i] = ream.OpenStorage(t.Context(), store, "--data", data, "--database", address, "--storage", filepath.Join(data, fmt.Sprint(i%2)))
		})
	}
	all.Wait()
	for i, err := range errs {
		if first := errs[i%2]; (err == nil) != (first == nil) {
			t.Errorf("with the same storage: got %v and %v", first, err)
		}
	}
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("with two storages: got %v and %v, want one of them refused", errs[0], errs[1])
	}
}
