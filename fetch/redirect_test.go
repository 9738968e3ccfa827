package fetch_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

// redirect sends a request elsewhere.
func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// credentials are settings with everything that only the own host may see.
func credentials(upstream string) fetch.Settings {
	return fetch.Settings{
		URL: upstream, Username: "me", Password: secret.New("hunter2"),
		Headers: map[string]secret.Text{"X-Key": secret.New("sesame"), "User-Agent": secret.New("own/1"), "Cookie": secret.New("c=1")},
	}
}

// shows reports what of the credentials a request shows.
func shows(r *http.Request) string {
	user, password, _ := r.BasicAuth()
	return strings.TrimSpace(fmt.Sprint(user, password, " ", r.Header.Get("X-Key"), " ", r.Header.Get("Cookie"), " ", r.UserAgent()))
}

const (
	showsAll  = "mehunter2 sesame c=1 own/1"
	showsNone = "ream/test"
)

func port(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestCredentialsStayAtTheirHost(t *testing.T) {
	t.Parallel()
	mirror := newUpstream(t, body("hello"))
	hops := 0
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		target := fmt.Sprintf("/hop%d", hops)
		if hops++; hops == 10 {
			target = "http://them:theirs@localhost:" + port(t, mirror.URL) + "/a" // another host by name
		}
		http.Redirect(w, r, target, http.StatusFound)
	})
	s, _ := newSource(t, credentials(up.URL))
	var into sink
	got, err := s.Get(t.Context(), anything(up.URL+"/a?token=secret"), &into)
	check(t, got, err, &into, "hello")
	for _, r := range up.seen() {
		if shows(r) != showsAll {
			t.Errorf("%s: upstream got %q, want %q", r.URL, shows(r), showsAll)
		}
	}
	if r := mirror.seen()[0]; shows(r) != showsNone || r.Header.Get("Referer") != "" {
		t.Errorf("the other host got %q and the Referer %q, want nothing", shows(r), r.Header.Get("Referer"))
	}
}

// TestCredentialsOfOthers goes where only a careful look tells that it is not
// the source's own host.
func TestCredentialsOfOthers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		base, asks string // with the upstream's port for PORT
		expected   string
	}{
		{"the same host", "http://127.0.0.1:PORT/deep/PULP_MANIFEST", "http://127.0.0.1:PORT/a", showsAll},
		{"in other letters", "HTTP://LOCALHOST:PORT/", "http://localHost:PORT/", showsAll},
		{"another port", "http://127.0.0.1:1/", "http://127.0.0.1:PORT/", showsNone},
		{"no port", "http://127.0.0.1/", "http://127.0.0.1:PORT/", showsNone},
		{"another scheme", "https://127.0.0.1:PORT/", "http://127.0.0.1:PORT/", showsNone},
		{"another name", "http://127.0.0.1:PORT/", "http://localhost:PORT/", showsNone},
		{"a longer name", "http://7.0.0.1:PORT/", "http://127.0.0.1:PORT/", showsNone},
		{"a file", "file:///srv/PULP_MANIFEST", "http://127.0.0.1:PORT/", showsNone},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, body("hello"))
			withPort := strings.NewReplacer("PORT", port(t, up.URL)).Replace
			s, _ := newSource(t, credentials(withPort(test.base)))
			if _, err := s.Get(t.Context(), anything(withPort(test.asks)), &sink{}); err != nil {
				t.Fatal(err)
			}
			if got := shows(up.seen()[0]); got != test.expected {
				t.Errorf("got %q, want %q", got, test.expected)
			}
		})
	}
}

// TestCredentialsDoNotComeBack redirects to another host, and from there back.
func TestCredentialsDoNotComeBack(t *testing.T) {
	t.Parallel()
	var up *upstream
	other := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) { redirect(up.URL+"/again")(w, nil) })
	up = newUpstream(t, redirect(strings.Replace(other.URL, "127.0.0.1", "localhost", 1)), body("hello"))
	s, _ := newSource(t, credentials(up.URL))
	if _, err := s.Get(t.Context(), anything(up.URL), &sink{}); err != nil {
		t.Fatal(err)
	}
	if first, last := shows(up.seen()[0]), shows(up.seen()[1]); first != showsAll || last != showsNone {
		t.Errorf("got %q and then %q, want all and then nothing", first, last)
	}
}

// secureUpstream is an upstream by TLS, and the certificate to trust it by.
func secureUpstream(t *testing.T, steps ...http.HandlerFunc) (*upstream, string) {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(u.handler(steps))
	u.EnableHTTP2 = true
	u.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that turn out not to be needed
	u.StartTLS()
	t.Cleanup(u.Close)
	return u, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.Certificate().Raw}))
}

func TestRedirectDowngrade(t *testing.T) {
	t.Parallel()
	plain := newUpstream(t, body("hello"))
	up, ca := secureUpstream(t, redirect(plain.URL))
	settings := credentials(up.URL)
	settings.CACert = ca
	s, _ := newSource(t, settings)
	_, err := s.Get(t.Context(), anything(up.URL+"/a"), &sink{})
	if want := up.URL + "/a: it redirects from https to http, where anybody may change what is sent: insecureRedirects allows that"; fault.Message(err) != want || !fault.Is(err, fault.Unavailable) {
		t.Errorf("Get: got %v, want Unavailable %q", err, want)
	}
	if len(plain.seen()) > 0 {
		t.Error("the plain host was asked")
	}
	settings.InsecureRedirects = true
	s, _ = newSource(t, settings)
	var into sink
	got, err := s.Get(t.Context(), anything(up.URL+"/a"), &into)
	check(t, got, err, &into, "hello")
	if got := shows(plain.seen()[0]); got != showsNone {
		t.Errorf("the plain host got %q, want nothing", got)
	}
}

func TestRedirectKeepsTheRange(t *testing.T) {
	t.Parallel()
	const whole = "0123456789"
	up := newUpstream(t, cutOff(whole, 4, "ETag", `"v1"`), redirect("/b"), file(whole, "ETag", `"v1"`))
	s, _ := newSource(t, fetch.Settings{})
	var into sink
	got, err := s.Get(t.Context(), exactly(up.URL+"/a", whole), &into)
	check(t, got, err, &into, whole)
	if r := up.seen()[2]; r.Header.Get("Range") != "bytes=4-" || r.Header.Get("If-Range") != `"v1"` || into.resets != 0 {
		t.Errorf("after the redirect: got Range %q, If-Range %q and %d resets", r.Header.Get("Range"), r.Header.Get("If-Range"), into.resets)
	}
}
