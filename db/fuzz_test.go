package db_test

import (
	"context"
	"path/filepath"
	"testing"

	"ream/db"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// openForFuzzing opens a database that all inputs share.
func openForFuzzing(f *testing.F) *db.DB {
	f.Helper()
	d, err := db.Open(f.Context(), filepath.Join(f.TempDir(), "ream.db"), db.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := d.Close(); err != nil {
			f.Error(err)
		}
	})
	return d
}

// wantsInput reports any error but one about what a client sent.
func wantsInput(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil && (!fault.Is(err, fault.BadInput) || len(fault.Message(err)) > 1000) {
		t.Errorf("%s: got %v, want bad input in a few words", what, err)
	}
}

// FuzzSelectors selects repositories by what is mostly no label selector.
func FuzzSelectors(f *testing.F) {
	for _, selector := range []string{"", "a", "!a", "a=b", "a!=b", "a=b,!c", "a=", "=", "!", "a==b", "a=b=c", ",", "a,,b", "a b", "a=b'", "a;--", "%", "_", "a\x00", "é=ü", "a=\xff"} {
		f.Add(selector)
	}
	d := openForFuzzing(f)
	f.Fuzz(func(t *testing.T, selector string) {
		_, err := d.Repositories(t.Context(), selector, page.Request{})
		wantsInput(t, "repositories", err)
	})
}

// FuzzCursors asks for pages after keys that are mostly none of the list.
func FuzzCursors(f *testing.F) {
	for _, key := range []string{"1", "0", "-1", "1.5", "a", "a'b", "1,2", "9223372036854775807", "9223372036854775808", "\x00", "\xff", "ключ", " 1"} {
		f.Add(key)
	}
	d := openForFuzzing(f)
	f.Fuzz(func(t *testing.T, key string) {
		for _, r := range []page.Request{{First: 1, After: key}, {Last: 1, Before: key}, {First: 2, After: key, Before: key}} {
			for name, read := range map[string]func(context.Context, page.Request) error{
				"remotes":       reads(d.Remotes),
				"repositories":  reads(func(ctx context.Context, r page.Request) (any, error) { return d.Repositories(ctx, "", r) }),
				"publications":  reads(d.Publications),
				"distributions": reads(d.Distributions),
				"schedules":     reads(d.Schedules),
				"groups":        reads(d.Groups),
				"tasks":         reads(func(ctx context.Context, r page.Request) (any, error) { return d.Tasks(ctx, task.Filter{}, r) }),
			} {
				wantsInput(t, name, read(t.Context(), r))
			}
		}
	})
}

func reads[T any](read func(context.Context, page.Request) (T, error)) func(context.Context, page.Request) error {
	return func(ctx context.Context, r page.Request) error {
		_, err := read(ctx, r)
		return err
	}
}
