package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOnlyRegisteredDocumentsAreAnswered locks a server up: the operator's
// documents and ream's own commands go on, and nothing else does.
func TestOnlyRegisteredDocumentsAreAnswered(t *testing.T) {
	t.Parallel()
	const count = `query Count { tasks { totalCount } }`
	manifest := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(manifest, []byte(`{"count": "`+count+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--data", t.TempDir(), "--persisted-queries", manifest, "--only-persisted")
	if got := query[struct{ Tasks struct{ TotalCount int } }](p, count, nil).Tasks.TotalCount; got != 0 {
		t.Errorf("the registered document: got %d tasks", got)
	}
	if _, errs := ask[any](p, `{ tasks { totalCount } }`, nil); len(errs) != 1 || errs[0].Extensions.Code != "FORBIDDEN" {
		t.Errorf("another document: got %+v, want FORBIDDEN", errs)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command(t, path, "mirror", newUpstream(t, someFiles(3)).URL+"/PULP_MANIFEST", "--name", "r", "--server", p.address)
	if err != nil || !strings.Contains(out, "completed") {
		t.Errorf("ream mirror: got %v\n%s", err, out)
	}
}

func TestDocumentsThatDoNotFitEndTheStart(t *testing.T) {
	t.Parallel()
	manifest := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(manifest, []byte(`{"count": "{ tusks { totalCount } }"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out := refused(t, "--data", t.TempDir(), "--persisted-queries", manifest)
	if !strings.Contains(out, "--persisted-queries "+manifest+": document count: ") || !strings.Contains(out, "tusks") {
		t.Errorf("got %s", out)
	}
}
