package content

import (
	"strings"
	"testing"
)

func FuzzParseID(f *testing.F) {
	for _, id := range []string{"", "repository", "repository-", "repository-1", "repository-0", "repository--1", "repository-+1", "repository-01",
		"repository-1_0", "repository-0x1", "repository-9223372036854775807", "repository-9223372036854775808", "version-1", "repository-1 ", "repository-١"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID[RepositoryID]("repository", text)
		if err != nil {
			return
		}
		digits, ok := strings.CutPrefix(text, "repository-")
		if !ok || id < 1 || id.String() != "repository-"+strings.TrimLeft(digits, "0") {
			t.Errorf("%q: got %s", text, id)
		}
	})
}
