package main_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/textproto"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// curled is what curl got.
type curled struct {
	status int
	header http.Header
	body   string
}

// curl asks the server for a path, which it leaves as it is.
func (p *program) curl(path string, args ...string) curled {
	p.t.Helper()
	args = append([]string{"-sS", "-i", "--path-as-is", "--max-time", "30", p.address + path}, args...)
	out, err := exec.CommandContext(p.t.Context(), "curl", args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("curl %q: %v\n%s", args, err, out)
	}
	head, body, _ := strings.Cut(string(out), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	c := curled{header: http.Header{}, body: body}
	if c.status, err = strconv.Atoi(strings.Fields(lines[0])[1]); err != nil {
		p.t.Fatalf("curl %q: %s", args, lines[0])
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		c.header.Add(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	return c
}

// odd are files whose names mean something to URLs, to HTML or to shells.
var odd = map[string]string{
	"100%.txt": "", "%2e%2e": "", "q?uestion#hash": "", "plus+eq=&amp;": "", `quote"'<b>.html`: "<script>alert(1)</script>", "a:b": "", "...": "",
	" lead": "", "trail ": "", "x%2Fy": "", "back`tick^|$HOME": "", "semi;colon,comma": "", "ünïcödé/☃ ﷽.txt": "", "dir with spaces/..hidden/tilde~": "",
	"[brackets]{}": "", "javascript:alert(1)": "",
}

func oddFiles() map[string][]byte {
	files := map[string][]byte{}
	for name, text := range odd {
		files[name] = []byte("the file " + name + text)
	}
	return files
}

func TestOddNamesAreServed(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, oddFiles())
		p.repository("odd", up.URL+"/PULP_MANIFEST")
		if got := p.follow(p.mirror("odd")); got.State != "COMPLETED" {
			t.Fatalf("got %+v %+v", got, got.Error)
		}
		// Follows the links of the pages as a person would, and the addresses of
		// the JSON as a program would.
		link := regexp.MustCompile(`<a href="([^"]*)">`)
		var walkHTML, walkJSON func(dir string) []string
		walkHTML = func(dir string) (files []string) {
			page := p.curl(dir)
			if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" || strings.Contains(page.body, "<b>") {
				t.Errorf("%s: got %d %s", dir, page.status, page.header)
			}
			for _, found := range link.FindAllStringSubmatch(page.body, -1) {
				href := html.UnescapeString(found[1])
				if href == "../" {
					continue
				}
				rest, ok := strings.CutPrefix(href, "./")
				if !ok {
					t.Errorf("%s: the link %q could lead elsewhere", dir, href)
				}
				if strings.HasSuffix(rest, "/") {
					files = append(files, walkHTML(dir+rest)...)
				} else if file := p.curl(dir + rest); file.status == 200 {
					files = append(files, file.body)
				} else {
					t.Errorf("%s: the link %q leads to %d", dir, href, file.status)
				}
			}
			return files
		}
		walkJSON = func(dir string) (files []string) {
			var listing struct {
				Entries []struct {
					Name, URL string
					Directory bool
					Size      int
				}
			}
			if err := json.Unmarshal([]byte(p.curl(dir, "-H", "Accept: application/json").body), &listing); err != nil {
				t.Fatal(err)
			}
			for _, e := range listing.Entries {
				at := dir + strings.TrimPrefix(e.URL, "./")
				if e.Directory {
					files = append(files, walkJSON(at)...)
					continue
				}
				file := p.curl(at)
				if len(file.body) != e.Size {
					t.Errorf("%s has %d bytes, listed with %d", at, len(file.body), e.Size)
				}
				files = append(files, file.body)
			}
			return files
		}
		want := []string{p.curl("/content/odd/PULP_MANIFEST").body}
		for _, file := range oddFiles() {
			want = append(want, string(file))
		}
		slices.Sort(want)
		for way, got := range map[string][]string{"HTML": walkHTML("/content/odd/"), "JSON": walkJSON("/content/odd/")} {
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("by %s: got %d files %q, want %d %q", way, len(got), got, len(want), want)
			}
		}
		if got := p.curl("/content/odd/" + "quote%22%27%3Cb%3E.html"); got.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'; frame-ancestors 'none'" {
			t.Errorf("foreign HTML may run: %s", got.header)
		}
	})
}

func TestDistributionTellsWhereItIs(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("the file")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		for _, path := range []string{"plain", "a/b", "100% odd? #1 \"ü\"/x", "a b"} {
			d := query[struct{ CreateDistribution struct{ URL string } }](p,
				`mutation($p: String!) { createDistribution(input: {path: $p, repository: "repository-1"}) { url } }`, map[string]any{"p": path}).CreateDistribution
			if got := p.curl(d.URL + "a"); got.status != 404 || !strings.Contains(got.body, "nothing has been published here yet") {
				t.Errorf("%s before the first publication, at %s: got %d %s", path, d.URL, got.status, got.body)
			}
			defer func() {
				if got := p.curl(d.URL + "a"); got.body != "the file" {
					t.Errorf("%s is served at %s: got %d %s", path, d.URL, got.status, got.body)
				}
			}()
		}
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Errorf("got %+v %+v", got, got.Error)
		}
	})
}

func TestServingByTheSpecification(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		small, large := strings.Repeat("0123456789", 10), strings.Repeat("0123456789", 20_000)
		up := newUpstream(t, map[string][]byte{"a.txt": []byte(small), "dir/large.deb": []byte(large), "empty.json": {}})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Fatalf("got %+v %+v", got, got.Error)
		}
		const past = "Sun, 01 Jan 2006 00:00:00 GMT"
		for path, body := range map[string]string{"/content/r/a.txt": small, "/content/r/dir/large.deb": large} {
			whole := p.curl(path)
			tag, modified, length := whole.header.Get("ETag"), whole.header.Get("Last-Modified"), fmt.Sprint(len(body))
			if when, err := http.ParseTime(modified); err != nil || tag != `"`+digest([]byte(body))+`"` || time.Since(when) < 0 || time.Since(when) > time.Hour {
				t.Errorf("%s: got %s", path, whole.header)
			}
			tests := []struct {
				name   string
				args   []string
				status int
				body   string
				header map[string]string
			}{
				{"GET", nil, 200, body, map[string]string{"Content-Length": length, "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}},
				{"HEAD", []string{"-I"}, 200, "", map[string]string{"Content-Length": length, "ETag": tag, "Last-Modified": modified}},
				{"first bytes", []string{"-r", "0-4"}, 206, "01234", map[string]string{"Content-Range": "bytes 0-4/" + length, "Content-Length": "5", "ETag": tag}},
				{"last bytes", []string{"-r", "-5"}, 206, "56789", map[string]string{"Content-Length": "5"}},
				{"from the middle", []string{"-r", fmt.Sprint(len(body)-3) + "-"}, 206, "789", nil},
				{"beyond the end, partly", []string{"-r", fmt.Sprint(len(body)-3) + "-99999999"}, 206, "789", nil},
				{"beyond the end", []string{"-r", "99999999-"}, 416, "invalid range: failed to overlap\n", map[string]string{"Content-Range": "bytes */" + length}},
				{"the wrong way round", []string{"-r", "5-2"}, 416, "invalid range\n", map[string]string{"Content-Range": "bytes */" + length}},
				{"another unit", []string{"-H", "Range: lines=1-2"}, 200, body, nil},
				{"HEAD of a range", []string{"-I", "-r", "0-4"}, 200, "", map[string]string{"Content-Length": length, "Content-Range": ""}},
				{"its own tag", []string{"-H", "If-None-Match: " + tag}, 304, "", map[string]string{"ETag": tag, "Content-Length": "", "Content-Type": ""}},
				{"its own tag, weak, of several", []string{"-H", `If-None-Match: "x", W/` + tag}, 304, "", nil},
				{"any tag", []string{"-H", "If-None-Match: *"}, 304, "", nil},
				{"another tag", []string{"-H", `If-None-Match: "x"`, "-H", "If-Modified-Since: " + modified}, 200, body, nil},
				{"not modified", []string{"-H", "If-Modified-Since: " + modified}, 304, "", nil},
				{"modified", []string{"-H", "If-Modified-Since: " + past}, 200, body, nil},
				{"modified, with no date", []string{"-H", "If-Modified-Since: yesterday"}, 200, body, nil},
				{"HEAD, not modified", []string{"-I", "-H", "If-None-Match: " + tag}, 304, "", nil},
				{"must match", []string{"-H", "If-Match: " + tag}, 200, body, nil},
				{"does not match", []string{"-H", `If-Match: "x"`}, 412, "", nil},
				{"must be old", []string{"-H", "If-Unmodified-Since: " + past}, 412, "", nil},
				{"range of what is known", []string{"-r", "0-4", "-H", "If-Range: " + tag}, 206, "01234", nil},
				{"range of what is known by date", []string{"-r", "0-4", "-H", "If-Range: " + modified}, 206, "01234", nil},
				{"range of something else", []string{"-r", "0-4", "-H", `If-Range: "x"`}, 200, body, nil},
				{"range by a weak tag", []string{"-r", "0-4", "-H", "If-Range: W/" + tag}, 200, body, nil},
				{"range of what did not change", []string{"-r", "0-4", "-H", "If-None-Match: " + tag}, 304, "", nil},
			}
			for _, tt := range tests {
				got := p.curl(path, tt.args...)
				if got.status != tt.status || got.body != tt.body {
					t.Errorf("%s, %s: got %d and %.60q, want %d and %.60q", path, tt.name, got.status, got.body, tt.status, tt.body)
				}
				for name, want := range tt.header {
					if got := got.header.Get(name); got != want {
						t.Errorf("%s, %s: %s: got %q, want %q", path, tt.name, name, got, want)
					}
				}
			}
			parts := p.curl(path, "-r", "0-1,10-11,-2")
			if kind := parts.header.Get("Content-Type"); parts.status != 206 || !strings.HasPrefix(kind, "multipart/byteranges; boundary=") || strings.Count(parts.body, "Content-Range: bytes ") != 3 {
				t.Errorf("%s: several ranges: got %d, %s\n%s", path, parts.status, kind, parts.body)
			}
		}
		for _, tt := range []struct {
			path, method string
			status       int
			header       map[string]string
		}{
			{"/content/r/a.txt", "GET", 200, map[string]string{"Content-Type": "text/plain; charset=utf-8"}},
			{"/content/r/dir/large.deb", "GET", 200, map[string]string{"Content-Type": "application/vnd.debian.binary-package"}},
			{"/content/r/empty.json", "GET", 200, map[string]string{"Content-Type": "application/json", "Content-Length": "0"}},
			{"/content/r/PULP_MANIFEST", "GET", 200, map[string]string{"Content-Type": "text/plain; charset=utf-8"}},
			{"/content/r/a.txt?query=is+ignored", "GET", 200, nil},
			{"/content/r", "GET", 302, map[string]string{"Location": "./r/"}},
			{"/content/r/dir", "GET", 302, map[string]string{"Location": "./dir/"}},
			{"/content/r/dir/", "HEAD", 200, map[string]string{"Content-Type": "text/html; charset=utf-8"}},
			{"/content/r/nothing", "GET", 404, nil},
			{"/content/r/nothing/", "GET", 404, nil},
			{"/content/r/a.txt/", "GET", 404, nil},
			{"/content/r/a.txt/x", "GET", 404, nil},
			{"/content/nothing/a.txt", "GET", 404, nil},
			{"/content/", "GET", 404, nil},
			{"/content/r//a.txt", "GET", 200, nil},
			{"/content/r/dir/../a.txt", "GET", 200, nil},
			{"/content/r/dir/%2e%2e/./a.txt", "GET", 200, nil},
			{"/content/r/../../etc/passwd", "GET", 404, nil},
			{"/content/../healthz", "GET", 404, nil},
			{"/content/r/%2e%2e/%2e%2e/healthz", "GET", 404, nil},
			{"/content/r/..%2f..%2fhealthz", "GET", 404, nil},
			{"/content/%2e%2e/graphql", "GET", 404, nil},
			{"/content/r/..%5c..%5cream.db", "GET", 404, nil},
			{"/content/r/a.txt%00", "GET", 404, nil},
			{"/content/r/%ff", "GET", 404, nil},
			{"/content/r/" + strings.Repeat("a", 4000), "GET", 404, nil},
			{"/content/r/a.txt", "POST", 405, map[string]string{"Allow": "GET, HEAD"}},
			{"/content/r/a.txt", "PUT", 405, map[string]string{"Allow": "GET, HEAD"}},
			{"/content/r/a.txt", "DELETE", 405, map[string]string{"Allow": "GET, HEAD"}},
			{"/content/r/", "PROPFIND", 405, map[string]string{"Allow": "GET, HEAD"}},
		} {
			args := []string{"-X", tt.method}
			if tt.method == "HEAD" {
				args = []string{"-I"}
			}
			got := p.curl(tt.path, args...)
			if got.status != tt.status {
				t.Errorf("%s %.80s: got %d, want %d\n%s", tt.method, tt.path, got.status, tt.status, got.body)
			}
			for name, want := range tt.header {
				if got := got.header.Get(name); got != want {
					t.Errorf("%s %s: %s: got %q, want %q", tt.method, tt.path, name, got, want)
				}
			}
		}
	})
}
