package media_test

import (
	"testing"

	"ream/media"
)

func TestBest(t *testing.T) {
	t.Parallel()
	offered := []string{"application/vnd.ream.task+json", "application/json"}
	for header, want := range map[string]string{
		"*/*":                                     offered[0],
		"application/*":                           offered[0],
		"application/json":                        offered[1],
		"application/json, */*":                   offered[0],
		"application/json, */*;q=0.1":             offered[1],
		"application/vnd.ream.task+json":          offered[0],
		"application/vnd.ream.task+json;q=0, */*": offered[1],
		"application/vnd.ream.task-group+json":    "",
		"text/html":                               "",
		"*/*;q=0":                                 "",
		"application/json;q=2, a/b;q=x,":          "",
		"":                                        "",
	} {
		got, ok := media.ParseAccept([]string{header}).Best(offered...)
		if got != want || ok != (want != "") {
			t.Errorf("Accept: %s: got %q, %t, want %q", header, got, ok, want)
		}
	}
	if got, ok := media.ParseAccept(nil).Best(offered...); got != offered[0] || !ok {
		t.Errorf("no Accept: got %q, %t, want %q", got, ok, offered[0])
	}
}
