package lane

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzParse expects the lane to take no request that net/http would understand
// otherwise, or not take for whole.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"GET /content/a/b_1.0~rc1+x%20.deb HTTP/1.1\r\nHost: ream:8080\r\n\r\n",
		"GET /content/a/b_1.0~rc1+x.deb HTTP/1.1\r\nHost: ream:8080\r\nUser-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\nAccept: text/*\r\nCache-Control: max-age=0\r\nIf-Modified-Since: Sat, 10 Jun 2023 08:00:00 GMT\r\n\r\n",
		"HEAD /content/@:=,&$-._~+ HTTP/1.1\r\nhost: [::1]:80\r\naccept:*/*\r\nconnection: keep-alive\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\nAccept:  \r\nAccept-Encoding: gzip, zstd\r\nRange: bytes=0-1\r\nIf-Range: \"a\"\r\nAuthorization: Basic YTpi\r\n\r\n",
		"GET /content/../../a//b/./ HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\n\r\nGET /content/b HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\nAccept: a\r\n b\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\nAccept: a\n\r\nAccept : b\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a, b\r\nConnection: close\r\n\r\n",
		"GET /content/a HTTP/1.0\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\nAccept\r\n\r\n",
		"\r\nGET /content/a HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /content/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nTE: trailers\r\nTrailer: A\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	c := &conn{server: &Server{Prefix: "/content/"}, blank: new(http.Request).WithContext(context.Background())}
	f.Fuzz(func(t *testing.T, raw []byte) {
		x := c.parse(raw)
		if x == nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(raw))
		want, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("took %q, where net/http says %v", raw, err)
		}
		if body, err := io.ReadAll(want.Body); len(body) > 0 || err != nil || in.Buffered() > 0 {
			t.Fatalf("took %q, which has more than a header", raw)
		}
		got := x.request
		if got.Method != want.Method || got.RequestURI != want.RequestURI || got.Host != want.Host || !reflect.DeepEqual(got.URL, want.URL) {
			t.Errorf("got %s %s of %s at %#v, want %s %s of %s at %#v", got.Method, got.RequestURI, got.Host, got.URL, want.Method, want.RequestURI, want.Host, want.URL)
		}
		if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
			t.Errorf("got headers %q, want %q", got.Header, want.Header)
		}
		if want.Close || want.ContentLength != 0 || want.TransferEncoding != nil || want.Trailer != nil || want.ProtoMajor != 1 || want.ProtoMinor != 1 {
			t.Errorf("took %q, which is more than plain", raw)
		}
	})
}

// TestPlainRequests expects what package clients send to be plain.
func TestPlainRequests(t *testing.T) {
	t.Parallel()
	c := &conn{server: &Server{Prefix: "/content/"}, blank: new(http.Request).WithContext(context.Background())}
	for name, lines := range map[string][]string{
		"curl":                      {"GET /content/debian/pool/main/libs/libstdc++6_12.2.0-14+deb12u1_amd64.deb HTTP/1.1", "Host: localhost:8080", "User-Agent: curl/7.88.1", "Accept: */*"},
		"apt":                       {"GET /content/debian/dists/stable/InRelease HTTP/1.1", "Host: mirror.example.org", "User-Agent: Debian APT-HTTP/1.3 (2.6.1)", "Accept: text/*", "Cache-Control: max-age=0", "If-Modified-Since: Sat, 10 Jun 2023 08:00:00 GMT"},
		"dnf":                       {"GET /content/fedora/repodata/repomd.xml HTTP/1.1", "Host: 10.0.0.1", "User-Agent: libdnf (Fedora Linux 41; generic; Linux.x86_64)", "Accept: */*", "Cache-Control: no-cache"},
		"wget":                      {"GET /content/a.tar.gz HTTP/1.1", "Host: localhost:8080", "User-Agent: Wget/1.21.3", "Accept: */*", "Accept-Encoding: identity", "Connection: Keep-Alive"},
		"a Go program behind nginx": {"GET /content/a.tar.gz HTTP/1.1", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "Host: ream", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip", "Authorization: Bearer abc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.parse([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n")) == nil {
				t.Error("it is not")
			}
		})
	}
}
