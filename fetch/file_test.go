package fetch_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ream/fault"
	"ream/fetch"
)

// directory lets a client read the files below a directory.
func directory(t testing.TB, dir string) *fetch.Client {
	t.Helper()
	config := loopback(&waits{})
	config.Directories = []string{dir}
	c := fetch.New(config)
	t.Cleanup(c.Close)
	return c
}

func TestGetFile(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	dir := filepath.Join(outside, "in")
	for _, step := range []error{
		os.MkdirAll(filepath.Join(dir, "sub"), 0o700),
		os.WriteFile(filepath.Join(dir, "a b%.txt"), []byte("hello"), 0o600),
		os.WriteFile(filepath.Join(outside, "secret"), []byte("hello"), 0o600),
		os.MkdirAll(filepath.Join(outside, "in other"), 0o700),
		os.WriteFile(filepath.Join(outside, "in other", "secret"), []byte("hello"), 0o600),
		os.Symlink("../a b%.txt", filepath.Join(dir, "sub", "inside")),
		os.Symlink("../secret", filepath.Join(dir, "relative")),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "absolute")),
		os.Symlink("..", filepath.Join(dir, "up")),
		os.Symlink("circle", filepath.Join(dir, "circle")),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	c := directory(t, dir)
	s := sourceOf(t, c, fetch.Settings{})
	address := "file://" + dir + "/a%20b%25.txt"
	for _, url := range []string{address, strings.Replace(address, "file://", "file://localhost", 1), "file://" + dir + "/sub/inside", "file://" + dir + "/sub/../sub/inside"} {
		var into sink
		got, err := s.Get(t.Context(), exactly(url, "hello"), &into)
		check(t, got, err, &into, "hello")
		if err := c.CheckURL(url); err != nil {
			t.Errorf("CheckURL(%s): %v", url, err)
		}
	}

	const notAllowed = ": it is not below a directory that the operator allowed: see --allow-file"
	const leadsOut = ": it cannot be read, or leads out of the directory that the operator allowed"
	for _, test := range []struct {
		name    string
		request fetch.Request
		kind    fault.Kind
		message string
	}{
		{"missing", anything("file://" + dir + "/b"), fault.NotFound, "/b: there is no such file"},
		{"directory", anything("file://" + dir), fault.BadInput, ": it is no regular file"},
		{"below a file", anything(address + "/b"), fault.NotFound, "/a%20b%25.txt/b: there is no such file"},
		{"of too long a name", anything("file://" + dir + "/" + strings.Repeat("a", 300)), fault.Unavailable, leadsOut},
		{"by links in a circle", anything("file://" + dir + "/circle"), fault.Unavailable, leadsOut},
		{"of a name with a zero byte", anything("file://" + dir + "/a%00b"), fault.Unavailable, leadsOut},
		{"socket", anything("file://" + dir + "/socket"), fault.Unavailable, leadsOut},
		{"pipe", anything("file://" + dir + "/pipe"), fault.BadInput, ": it is no regular file"},
		{"outside", anything("file://" + outside + "/secret"), fault.Forbidden, notAllowed},
		{"upwards", anything("file://" + dir + "/../secret"), fault.Forbidden, notAllowed},
		{"upwards, in disguise", anything("file://" + dir + "/%2e%2e/secret"), fault.Forbidden, notAllowed},
		{"of a longer name", anything("file://" + dir + "%20other/secret"), fault.Forbidden, notAllowed},
		{"the directory above", anything("file://" + outside), fault.Forbidden, notAllowed},
		{"by a relative link", anything("file://" + dir + "/relative"), fault.Unavailable, leadsOut},
		{"by an absolute link", anything("file://" + dir + "/absolute"), fault.Unavailable, leadsOut},
		{"through a linked directory", anything("file://" + dir + "/up/secret"), fault.Unavailable, leadsOut},
		{"wrong digest", fetch.Request{URL: address, Size: 5, SHA256: digest("jello")}, fault.BadInput, ": its SHA-256 is " + digest("hello")},
		{"wrong size", fetch.Request{URL: address, Size: 4}, fault.BadInput, ": it has more than the 4 bytes"},
		{"too large", fetch.Request{URL: address, Size: -1, MaxBytes: 4}, fault.BadInput, ": it has more than 4 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var into sink
			_, err := s.Get(t.Context(), test.request, &into)
			if message := fault.Message(err); !fault.Is(err, test.kind) || !strings.Contains(message, test.message) || !strings.HasPrefix(message, "file:///") {
				t.Errorf("Get: got %v, want %s %q", err, test.kind, test.message)
			}
			if refused := errors.Is(err, fetch.ErrRefused); refused != (test.message == leadsOut) {
				t.Errorf("Get: got %v, refused %t", err, refused)
			}
			if err := c.CheckURL(test.request.URL); test.message == notAllowed && (!fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), "url: it is not below")) {
				t.Errorf("CheckURL: got %v, want BadInput", err)
			}
		})
	}

	nothing, _ := newSource(t, fetch.Settings{})
	if _, err := nothing.Get(t.Context(), anything(address), &sink{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("Get without an allowed directory: got %v, want Forbidden", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, anything(address), &sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Get with a canceled context: got %v, want context.Canceled", err)
	}
}

// TestDirectoryThatIsReplaced publishes other files in the ways that trees are: by a
// directory that takes the place of another, and by a link that leads elsewhere.
func TestDirectoryThatIsReplaced(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	in := func(name string) string { return filepath.Join(above, name) }
	must := func(steps ...error) {
		t.Helper()
		if err := errors.Join(steps...); err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(in("allowed"), 0o700), os.WriteFile(in("allowed/a"), []byte("old"), 0o600),
		os.Mkdir(in("next"), 0o700), os.WriteFile(in("next/a"), []byte("new"), 0o600))
	s := sourceOf(t, directory(t, in("allowed")), fetch.Settings{})
	address := "file://" + in("allowed") + "/a"
	gets := func(want string) {
		t.Helper()
		var into sink
		got, err := s.Get(t.Context(), anything(address), &into)
		check(t, got, err, &into, want)
	}
	gets("old")
	must(os.Rename(in("allowed"), in("before")))
	_, err := s.Get(t.Context(), anything(address), &sink{})
	if want := address + ": the directory that the operator allowed cannot be opened: no such file or directory"; !fault.Is(err, fault.Unavailable) || fault.Message(err) != want || errors.Is(err, fetch.ErrRefused) {
		t.Errorf("without the directory: got %v, want Unavailable %q", err, want)
	}
	must(os.Rename(in("next"), in("allowed")))
	gets("new")
	must(os.Rename(in("allowed"), in("next")), os.Symlink("before", in("allowed")))
	gets("old")
	must(os.Symlink("next", in("link")), os.Rename(in("link"), in("allowed")))
	gets("new")
}

// BenchmarkGetFile reads a small file: what opening it costs.
func BenchmarkGetFile(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("hello"), 0o600); err != nil {
		b.Fatal(err)
	}
	s := sourceOf(b, directory(b, dir), fetch.Settings{})
	for b.Loop() {
		if _, err := s.Get(b.Context(), exactly("file://"+dir+"/a", "hello"), &sink{}); err != nil {
			b.Fatal(err)
		}
	}
}
