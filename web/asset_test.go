package web

import (
	"bytes"
	"compress/gzip"
	"testing"
)

// zip returns text as make web stores it.
func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"": false, "gzip": true, "br, gzip": true, "gzip;q=0.5": true, "gzip; q=1.0": true, "br,gzip ;q=0.10": true,
		"gzip;q=0": false, "gzip;q=0.000": false, "x-gzip": false, "identity": false,
	}
	for accepted, want := range tests {
		if got := acceptsGzip(accepted); got != want {
			t.Errorf("%q: got %v, want %v", accepted, got, want)
		}
	}
}
