package plainhttp

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// FuzzParse expects no head to be plain that http.ReadResponse understands
// otherwise.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 26 Nov 2026 11:00:00 GMT\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\nLast-Modified: Thu, 26 Nov 2026 10:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"6566\"\r\nAccept-Ranges: bytes",
		"HTTP/1.1 206 Partial Content\r\ncontent-length:\t4 \r\ncontent-range: bytes 4-7/8\r\nVary: a\r\nvary: b",
		"HTTP/1.1 200 \r\nContent-Length: 0",
		"HTTP/1.1 200\r\nContent-Length: 4\r\nContent-Length: 4",
		"HTTP/1.1 200 OK\r\nContent-Length: +4",
		"HTTP/1.1 200 OK\r\nContent-Length: 4, 4",
		"HTTP/1.1 200 OK\r\nContent-Length: 04",
		"HTTP/1.1 200 OK\r\nContent-Length:",
		"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive, close",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\nConnection: close",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nPragma: no-cache\r\nTrailer: A",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nA: b\r\n c",
		"HTTP/1.1 200 OK\r\nContent-Length : 4",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\nA: b",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nA: \x00\xff",
		"HTTP/1.1 200 OK\r\n\xff: 1\r\nContent-Length: 4",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 4",
		"HTTP/1.0 200 OK\r\nContent-Length: 4",
		"HTTP/1.1 2000 OK\r\nContent-Length: 4",
		"HTTP/1.1  200 OK\r\nContent-Length: 4",
		"HTTP/1.1 200 OK\nContent-Length: 5\r\nContent-Length: 4",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, head string) {
		head, _, _ = strings.Cut(head, "\r\n\r\n") // where it ends
		got := parse(head)
		if got == nil {
			return
		}
		want, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head+"\r\n\r\nfour")), &http.Request{Method: http.MethodGet})
		if err != nil {
			t.Fatalf("took %q, where net/http says %v", head, err)
		}
		if got.Status != want.Status || got.StatusCode != want.StatusCode || got.Proto != want.Proto || got.ProtoMajor != want.ProtoMajor ||
			got.ProtoMinor != want.ProtoMinor || got.ContentLength != want.ContentLength || got.Close != want.Close || want.TransferEncoding != nil || want.Trailer != nil {
			t.Errorf("of %q: got %+v, want %+v", head, got, want)
		}
		if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
			t.Errorf("of %q: got headers %q, want %q", head, got.Header, want.Header)
		}
	})
}

// TestPlainHeads expects what servers of files really answer to be plain.
func TestPlainHeads(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"nginx":  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 26 Nov 2026 11:00:00 GMT\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\nLast-Modified: Thu, 26 Nov 2026 10:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"6566\"\r\nAccept-Ranges: bytes",
		"Apache": "HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 11:00:00 GMT\r\nServer: Apache/2.4.62 (Debian)\r\nLast-Modified: Thu, 26 Nov 2026 10:00:00 GMT\r\nETag: \"4-62\"\r\nAccept-Ranges: bytes\r\nContent-Length: 4\r\nKeep-Alive: timeout=5, max=100\r\nConnection: Keep-Alive\r\nContent-Type: application/vnd.debian.binary-package",
		"part":   "HTTP/1.1 206 Partial Content\r\nAccept-Ranges: bytes\r\nContent-Length: 4\r\nContent-Range: bytes 4-7/8\r\nEtag: \"a\"",
		"Ream":   "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nCache-Control: public, max-age=31536000, immutable\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\nEtag: \"9f86d081\"\r\nRepr-Digest: sha-256=:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=:\r\nX-Content-Type-Options: nosniff\r\nDate: Thu, 26 Nov 2026 11:00:00 GMT",
	} {
		if response := parse(head); response == nil || response.ContentLength != 4 {
			t.Errorf("%s: got %+v, want that it is plain", name, response)
		}
	}
}

// TestPlainBodies reads bodies in all sizes of pieces.
func TestPlainBodies(t *testing.T) {
	t.Parallel()
	file := bytes.Repeat([]byte("0123456789"), 5000)
	for _, piece := range []int{1, 7, 4096, readBuffer, len(file), len(file) + 1} {
		in := bufio.NewReaderSize(bytes.NewReader(append(file[:len(file):len(file)], "next"...)), readBuffer)
		e := &exactly{in, int64(len(file))}
		var got []byte
		for err := error(nil); err == nil; {
			part := make([]byte, piece)
			var n int
			n, err = e.Read(part)
			got = append(got, part[:n]...)
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
		}
		rest, err := io.ReadAll(in)
		if !bytes.Equal(got, file) || string(rest) != "next" || err != nil {
			t.Errorf("pieces of %d: got %d bytes and %q after them, %v", piece, len(got), rest, err)
		}
	}
	if _, err := io.ReadAll(&exactly{bufio.NewReader(strings.NewReader("abc")), 4}); err != io.ErrUnexpectedEOF {
		t.Errorf("a short body: got %v", err)
	}
}
