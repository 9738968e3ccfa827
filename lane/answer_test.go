package lane_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pair is a server of the lane and one of net/http alone, with one handler.
type pair struct {
	lane  *running
	plain string
}

func startPair(t *testing.T, h http.HandlerFunc) pair {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- plain.Serve(l) }()
	t.Cleanup(func() {
		if err := plain.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		<-served
	})
	return pair{start(t, &http.Server{Handler: h}), l.Addr().String()}
}

var dates = regexp.MustCompile(`\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n`)

// exchange sends requests one after the other and returns what is answered: headers
// as they are, but for the date, and bodies as clients understand them.
func exchange(t *testing.T, address string, requests ...string) string {
	t.Helper()
	c := (&running{address: address}).dial(t)
	var all strings.Builder
	for _, request := range requests {
		if _, err := io.WriteString(c, request); err != nil {
			break
		}
		var raw bytes.Buffer
		c.in.Reset(io.TeeReader(c.TCPConn, &raw))
		method, _, _ := strings.Cut(request, " ")
		response, err := http.ReadResponse(c.in, &http.Request{Method: method})
		if err != nil {
			break
		}
		body, err := io.ReadAll(response.Body)
		head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
		all.WriteString(dates.ReplaceAllString(head+"\r\n", "\r\nDate: today\r\n"))
		all.Write(body)
		if err != nil {
			all.WriteString(err.Error())
		}
	}
	return all.String() + "the end"
}

func request(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: ream\r\n\r\n"
}

// TestAnswers compares answers, byte by byte, with those of net/http.
func TestAnswers(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, bytes.Repeat([]byte("0123456789"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	text := func(n int) string { return strings.Repeat("a", n) }
	write := func(w io.Writer, s string) {
		_, _ = io.WriteString(w, s)
	}
	handlers := map[string]http.HandlerFunc{
		"nothing":        func(http.ResponseWriter, *http.Request) {},
		"a small body":   func(w http.ResponseWriter, _ *http.Request) { write(w, "abc") },
		"2,048 bytes":    func(w http.ResponseWriter, _ *http.Request) { write(w, text(2048)) },
		"2,049 bytes":    func(w http.ResponseWriter, _ *http.Request) { write(w, text(2049)) },
		"several writes": func(w http.ResponseWriter, _ *http.Request) { write(w, "<html>"); write(w, "b"); write(w, "c") },
		"nothing, written": func(w http.ResponseWriter, _ *http.Request) {
			if n, err := w.Write(nil); n != 0 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
		},
		"a length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			write(w, text(60_000))
			write(w, text(40_000))
		},
		"a length and a type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4000")
			w.Header().Set("Content-Type", "text/x-test")
			write(w, text(4000))
		},
		"a length alone":     func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10") },
		"a length of 0":      func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") },
		"more than a length": func(w http.ResponseWriter, _ *http.Request) { long(t, w) },
		"less than a length": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10"); write(w, "abc") },
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["B"] = []string{"2", " 3 "}
			w.Header().Set("A", "one\r\nC: two\n")
			w.Header()["Etag"] = []string{`"x"`}
			w.Header()["X\r\nSet-Cookie: a=b\r\nY"] = []string{"1"}
			w.Header()["with space"] = []string{"1"}
			w.Header()[""] = []string{"1"}
			w.Header().Set("Content-Type", "")
			write(w, "abc")
			w.Header().Set("Late", "yes")
		},
		"many headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 200 {
				w.Header().Set("X-"+strconv.Itoa(i), text(i))
			}
			write(w, "abc")
		},
		"a date": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", "today"); write(w, "abc") },
		"no date": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			write(w, "abc")
		},
		"no type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			write(w, "abc")
		},
		"an encoding": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			write(w, "abc")
		},
		"304": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "10")
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
			if _, err := w.Write([]byte("a")); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("got %v", err)
			}
		},
		"204": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(204)
		},
		"404": http.NotFound,
		"599": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) },
		"a status twice": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			w.WriteHeader(202)
			write(w, "abc")
		},
		"a connection that closes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			write(w, "abc")
		},
		"a redirection": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/content/b/", http.StatusFound) },
		"a file":        func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) },
		"a file, copied": func(w http.ResponseWriter, _ *http.Request) {
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "1000000")
			if n, err := io.Copy(w, f); n != 1_000_000 && n != 0 || err != nil {
				t.Errorf("copied %d, %v", n, err)
			}
		},
		"a file that is too short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "100")
			_, _ = io.Copy(w, strings.NewReader("abc"))
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			write(w, "abc")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			write(w, "def")
		},
		"flushed before it began": func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			write(w, "abc")
		},
	}
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPair(t, h)
			for _, method := range []string{"GET", "HEAD"} {
				r := request(method, "/content/a")
				requests := []string{r, r, strings.Replace(r, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)}
				if got, want := exchange(t, p.lane.address, requests...), exchange(t, p.plain, requests...); got != want {
					t.Errorf("%s: got\n%.2000q\nwant\n%.2000q", method, got, want)
				}
			}
		})
	}
}

func long(t *testing.T, w http.ResponseWriter) {
	w.Header().Set("Content-Length", "3")
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "abc")
	if n, err := io.WriteString(w, "d"); n != 0 || !errors.Is(err, http.ErrContentLength) {
		t.Errorf("wrote %d, %v", n, err)
	}
}

func TestEarlyHints(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "<a>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "fine")
	})
	c := s.dial(t)
	for range 2 {
		c.send(plainly)
		for _, want := range []string{"103 Early Hints, ", "200 OK, fine"} {
			response, body := c.receive("GET")
			if got := response.Status + ", " + body; got != want || response.Header.Get("Link") == "" {
				t.Errorf("got %q with %q, want %q", got, response.Header, want)
			}
		}
	}
}

// TestCopiesOfMoreThanWasTold sends what was told, and nothing behind it.
func TestCopiesOfMoreThanWasTold(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		if _, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(strings.Repeat("a", 2000))}); !errors.Is(err, http.ErrContentLength) {
			t.Errorf("got %v", err)
		}
	})
	c := s.dial(t)
	c.ask(plainly, strings.Repeat("a", 1000))
	c.ended()
}

// TestLengthsThatAreNone counts instead.
func TestLengthsThatAreNone(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "ten")
		_, _ = io.WriteString(w, "fine")
	})
	s.dial(t).ask(plainly, "fine")
	if got := s.log.String(); !strings.Contains(got, `"ten"`) {
		t.Errorf("logged %q", got)
	}
}

// TestAnswersOfAnyKind compares what handlers that do anything answer with what
// net/http makes of them.
func TestAnswersOfAnyKind(t *testing.T) {
	t.Parallel()
	p := startPair(t, func(w http.ResponseWriter, r *http.Request) {
		seed, _ := strconv.ParseUint(r.URL.Path[len("/content/"):], 10, 64)
		random := rand.New(rand.NewPCG(seed, seed))
		sizes := []int{0, 1, 10, 500, 2000, 2047, 2048, 2049, 4096, 5000, 70_000}
		size := func() int { return sizes[random.IntN(len(sizes))] }
		body := bytes.Repeat([]byte("<p>é"), 30_000)
		rest := len(body)
		if random.IntN(2) == 0 {
			rest = size()
			w.Header().Set("Content-Length", strconv.Itoa(rest))
		}
		for range random.IntN(7) {
			switch random.IntN(9) {
			case 0, 1:
				w.Header().Set("Content-Type", "text/x-test")
			case 2:
				w.WriteHeader([]int{200, 200, 204, 206, 304, 404, 500}[random.IntN(7)])
			case 3:
				w.Header().Set("X-"+strconv.Itoa(random.IntN(30)), "a")
			case 4, 5, 6: // also more than was told
				n := size()
				rest = max(rest-n, 0)
				_, _ = w.Write(body[:n])
			case 7:
				n := min(size(), rest)
				rest -= n
				_, _ = io.Copy(w, bytes.NewReader(body[:n]))
			case 8:
				if random.IntN(3) == 0 {
					_ = http.NewResponseController(w).Flush()
				}
			}
		}
	})
	// told is an answer as clients understand it, which may count what the lane keeps
	// of a copied body where net/http sends chunks.
	told := func(address, method, path string) (answer string, length int64) {
		c := (&running{address: address}).dial(t)
		c.send(request(method, path))
		response, err := http.ReadResponse(c.in, &http.Request{Method: method})
		if err != nil {
			return "nothing", 0
		}
		body, err := io.ReadAll(response.Body)
		response.Header.Del("Date")
		response.Header.Del("Content-Length")
		var text strings.Builder
		_ = response.Header.Write(&text)
		if err == nil && !response.Close { // then there may be another
			c.send(request("GET", "/content/0"))
			_, err = http.ReadResponse(c.in, nil)
		}
		return strings.Join([]string{response.Status, text.String(), string(body), strconv.FormatBool(err == nil)}, "\n"), response.ContentLength
	}
	began, seed := time.Now(), rand.Uint64N(1<<40)
	for i := 0; i < 300 && time.Since(began) < 2*time.Second; i++ {
		path, method := "/content/"+strconv.FormatUint(seed, 10), []string{"GET", "GET", "HEAD"}[i%3]
		got, n := told(p.lane.address, method, path)
		want, m := told(p.plain, method, path)
		if got != want || m >= 0 && n != m {
			t.Fatalf("%s %s: got, of length %d,\n%.1000q\nwant, of length %d,\n%.1000q", method, path, n, got, m, want)
		}
		seed++
	}
}

// TestLateWrites expects writes behind the end of an answer to spoil no other.
func TestLateWrites(t *testing.T) {
	t.Parallel()
	var late http.ResponseWriter
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if late == nil {
			late = w
		} else {
			if n, err := late.Write([]byte("late")); n != 0 || err == nil {
				t.Errorf("wrote %d", n)
			}
			late.WriteHeader(500)
			if n, err := late.(io.ReaderFrom).ReadFrom(strings.NewReader("late")); n != 0 || err == nil {
				t.Errorf("copied %d", n)
			}
			if err := http.NewResponseController(late).Flush(); err == nil {
				t.Error("flushed")
			}
		}
		_, _ = io.WriteString(w, "fine")
	})
	c := s.dial(t)
	c.ask(plainly, "fine")
	c.ask(plainly, "fine")
}

// TestClientsThatReadNothing notices that nobody takes an answer any more.
func TestClientsThatReadNothing(t *testing.T) {
	t.Parallel()
	failed := make(chan error)
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				failed <- err
				return
			}
		}
	})
	c := s.dial(t)
	c.send(plainly)
	if _, err := c.in.Peek(1); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("no error")
	}
}
