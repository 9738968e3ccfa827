package page_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"ream/fault"
	"ream/page"
)

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"1", "a/b c", "1:2", "ключ", strings.Repeat("x", 1024)} {
		got, err := page.DecodeCursor("after", page.EncodeCursor(key))
		if err != nil || got != key {
			t.Errorf("cursor of %q: got %q, %v", key, got, err)
		}
	}
}

func TestDecodeCursorRejects(t *testing.T) {
	t.Parallel()
	encode := base64.RawURLEncoding.EncodeToString
	tests := []struct{ name, cursor string }{
		{"empty", ""},
		{"not base64", "%%%"},
		{"padded", encode([]byte("1:a")) + "="},
		{"no version", encode([]byte("12"))},
		{"other version", encode([]byte("2:12"))},
		{"no key", encode([]byte("1:"))},
		{"stray bits", "MTox" + "Zh"},
		{"a line end", "MTox" + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, err := page.DecodeCursor("before", tt.cursor)
			if !fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), "before: ") {
				t.Errorf("cursor %q: got %q, %v, want bad input in before", tt.cursor, key, err)
			}
		})
	}
}

func FuzzDecodeCursor(f *testing.F) {
	for _, cursor := range []string{"", "MTox", "MTo", "Mjox", "MTox=", "MToxZh", page.EncodeCursor("a/b"), page.EncodeCursor("ключ"), page.EncodeCursor("\xff\x00")} {
		f.Add(cursor)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		key, err := page.DecodeCursor("after", cursor)
		if err != nil {
			if !fault.Is(err, fault.BadInput) || len(fault.Message(err)) > 1000 {
				t.Errorf("got %v, want bad input in a few words", err)
			}
		} else if again := page.EncodeCursor(key); again != cursor {
			t.Errorf("%q and %q stand for the same", cursor, again)
		}
	})
}
