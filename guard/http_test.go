package guard_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ream/access"
	"ream/catalog"
	"ream/fault"
	"ream/guard"
)

// whoami answers with who asks.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	caller := access.CallerOf(r.Context())
	w.Write([]byte(caller.String() + " as " + string(caller.Role) + " from " + caller.Address))
})

// contentOf is a handler of content that a guard protects.
func contentOf(g *guard.Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r := g.Content(w, r); r != nil {
			next.ServeHTTP(w, r)
		}
	})
}

// refuse answers with the code of a fault.
func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	w.WriteHeader(http.StatusTeapot)
	w.Write([]byte(fault.KindOf(err)))
}

// send asks a handler, with headers.
func send(t *testing.T, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.RemoteAddr = "192.0.2.7:4711"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestRequests(t *testing.T) {
	eachHouse(t, guard.Options{}, func(h *house) {
		_, secret := h.token(catalog.TokenInput{Name: "ci", Role: access.Operator})
		api, content := guard.Strangers(h.API(whoami, refuse)), guard.Strangers(contentOf(h.Guard, whoami))
		const me = `token "ci" as OPERATOR from 192.0.2.7`
		upgrade := []string{"Upgrade", "websocket", "Connection", "Upgrade"}
		for _, tt := range []struct {
			name      string
			handler   http.Handler
			header    []string
			status    int
			body      string
			challenge string
		}{
			{"API", api, []string{"Authorization", "Bearer " + secret}, 200, me, ""},
			{"API without a token", api, nil, 418, "UNAUTHENTICATED", `Bearer realm="Ream"`},
			{"API with a wrong token", api, []string{"Authorization", "Bearer " + access.NewSecret()}, 418, "UNAUTHENTICATED", `Bearer realm="Ream", error="invalid_token"`},
			{"API with what browsers send by themselves", api, []string{"Authorization", basic("x", secret)}, 418, "UNAUTHENTICATED", `Bearer realm="Ream", error="invalid_token"`},
			{"socket", api, upgrade, 200, "nobody as  from 192.0.2.7", ""},
			{"socket with a token", api, append(upgrade, "Authorization", "Bearer "+secret), 200, me, ""},
			{"socket with a wrong token", api, append(upgrade, "Authorization", "Bearer x"), 418, "UNAUTHENTICATED", `Bearer realm="Ream", error="invalid_token"`},
			{"content", content, []string{"Authorization", "Bearer " + secret}, 200, me, ""},
			{"content by a password", content, []string{"Authorization", basic("whoever", secret)}, 200, me, ""},
			{"content without", content, nil, 401, "this needs a token", `Basic realm="Ream", charset="UTF-8" Bearer realm="Ream"`},
			{"content by a wrong password", content, []string{"Authorization", basic("ci", "x")}, 401, "this is no token", `Basic realm="Ream", charset="UTF-8" Bearer realm="Ream", error="invalid_token"`},
			{"content of a socket", content, upgrade, 401, "this needs a token", `Basic realm="Ream", charset="UTF-8" Bearer realm="Ream"`},
			{"what nobody protects", guard.Strangers(whoami), []string{"Authorization", "Bearer " + secret}, 200, "nobody as  from 192.0.2.7", ""},
		} {
			w := send(h.t, tt.handler, "GET", "/", tt.header...)
			challenge := strings.Join(w.Header().Values("WWW-Authenticate"), " ")
			if w.Code != tt.status || !strings.HasPrefix(w.Body.String(), tt.body) || challenge != tt.challenge {
				h.t.Errorf("%s: got %d %q and %q, want %d %q and %q", tt.name, w.Code, w.Body, challenge, tt.status, tt.body, tt.challenge)
			}
			if tt.status != 200 && w.Header().Get("Cache-Control") != "no-store" {
				h.t.Errorf("%s: a refusal may be kept", tt.name)
			}
		}
		for range 20 {
			send(h.t, api, "GET", "/", "Authorization", "Bearer x")
		}
		if w := send(h.t, api, "GET", "/", "Authorization", "Bearer x"); w.Body.String() != "RATE_LIMITED" || w.Header().Get("Retry-After") != "6" {
			h.t.Errorf("after many: got %q, again after %q", w.Body, w.Header().Get("Retry-After"))
		}
		if w := send(h.t, content, "GET", "/", "Authorization", basic("x", "x")); w.Code != http.StatusTooManyRequests {
			h.t.Errorf("content after many: got %d", w.Code)
		}
	})
}

// TestAnonymousReaders has a guard that lets everybody do everything: credentials
// are demanded for content all the same, when it is asked, but not for metrics.
func TestAnonymousReaders(t *testing.T) {
	eachHouse(t, guard.Options{Anonymous: true}, func(h *house) {
		_, secret := h.token(catalog.TokenInput{Name: "ci", Role: access.Reader})
		content, metrics := contentOf(h.Guard, whoami), h.Metrics(whoami)
		for name, want := range map[string]struct {
			handler http.Handler
			header  []string
			status  int
		}{
			"content":                   {content, nil, 401},
			"content by a token":        {content, []string{"Authorization", basic("", secret)}, 200},
			"content by no token":       {content, []string{"Authorization", basic("", "")}, 401},
			"content by another scheme": {content, []string{"Authorization", "Digest x"}, 401},
			"metrics":                   {metrics, nil, 200},
			"metrics by no token":       {metrics, []string{"Authorization", "Bearer x"}, 401},
		} {
			if w := send(h.t, want.handler, "GET", "/", want.header...); w.Code != want.status {
				h.t.Errorf("%s: got %d %q, want %d", name, w.Code, w.Body, want.status)
			}
		}
	})
}

func TestTheSystemsOwnUsers(t *testing.T) {
	t.Parallel()
	g := guard.New(guard.Options{})
	local := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller := access.Caller{Principal: access.Principal{Kind: access.Local, Name: "root", Role: access.Admin}}
			next.ServeHTTP(w, r.WithContext(access.WithCaller(r.Context(), caller)))
		})
	}
	for name, h := range map[string]http.Handler{"API": g.API(whoami, refuse), "content": contentOf(g, whoami), "the rest": whoami} {
		if w := send(t, local(guard.Strangers(h)), "GET", "/"); w.Body.String() != `local user "root" as ADMIN from ` {
			t.Errorf("%s: got %q", name, w.Body)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8080": true, "127.0.0.1:8080": true, "127.1.2.3": true, "[::1]:8080": true, "localhost.:80": true,
		"ream.example.org": true, "Ream.Example.org:443": true,
		"evil.example.org": false, "localhost.evil.example.org": false, "192.0.2.1:8080": false, "0.0.0.0:8080": false, "": false,
		"127.0.0.1.evil.example.org": false, "[::2]": false, "x.ream.example.org": false,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Host = host
		guard.Hosts([]string{"ream.example.org"}, whoami, refuse).ServeHTTP(w, r)
		if got := w.Code == http.StatusOK; got != want || !want && w.Body.String() != "FORBIDDEN" {
			t.Errorf("%q: got %d %q, want it answered: %t", host, w.Code, w.Body, want)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{
		"https://pages.example.org": true, "http://localhost:3000": true, "https://[2001:db8::1]:8443": true,
		"": false, "*": false, "null": false, "pages.example.org": false, "https://pages.example.org/": false, "https://pages.example.org/x": false,
		"https://*.example.org": false, "ftp://pages.example.org": false, "https://a@pages.example.org": false, "https://": false, "https://x?y": false,
	} {
		if err := guard.CheckOrigin(origin); (err == nil) != want {
			t.Errorf("%q: got %v, want it allowed: %t", origin, err, want)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	const friend, stranger = "https://pages.example.org", "https://evil.example.org"
	open, closed := guard.Pages([]string{friend}, whoami, refuse), guard.Pages(nil, whoami, refuse)
	for _, tt := range []struct {
		name    string
		handler http.Handler
		method  string
		header  []string
		status  int
		allowed string // the origin that may read the answer
	}{
		{"program", open, "POST", nil, 200, ""},
		{"own page", open, "POST", []string{"Origin", "http://example.com"}, 200, ""},
		{"own page, as the browser says", closed, "POST", []string{"Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}, 200, ""},
		{"page of a friend", open, "POST", []string{"Origin", friend, "Sec-Fetch-Site", "cross-site"}, 200, friend},
		{"page of a stranger", open, "POST", []string{"Origin", stranger, "Sec-Fetch-Site", "cross-site"}, 418, ""},
		{"page of a stranger, of an old browser", open, "POST", []string{"Origin", stranger}, 418, ""},
		{"page of a file", open, "POST", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, 418, ""},
		{"form of a stranger", open, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 418, ""},
		{"page of nobody's friend", closed, "POST", []string{"Origin", friend, "Sec-Fetch-Site", "cross-site"}, 418, ""},
		{"a stranger's GET, which changes nothing and nobody may read", open, "GET", []string{"Origin", stranger, "Sec-Fetch-Site", "cross-site"}, 200, ""},
		{"question of a friend", open, "OPTIONS", []string{"Origin", friend, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"}, 204, friend},
		{"question of a stranger", open, "OPTIONS", []string{"Origin", stranger, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"}, 204, ""},
		{"question for another method", open, "OPTIONS", []string{"Origin", friend, "Access-Control-Request-Method", "PUT"}, 204, ""},
	} {
		w := send(t, tt.handler, tt.method, "http://example.com/graphql", tt.header...)
		if w.Code != tt.status || w.Header().Get("Access-Control-Allow-Origin") != tt.allowed {
			t.Errorf("%s: got %d, readable by %q, want %d and %q", tt.name, w.Code, w.Header().Get("Access-Control-Allow-Origin"), tt.status, tt.allowed)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: cookies are allowed, but nobody needs them", tt.name)
		}
		if w.Code == http.StatusTeapot && w.Body.String() != "FORBIDDEN" {
			t.Errorf("%s: got %q", tt.name, w.Body)
		}
	}
	asked := send(t, open, "OPTIONS", "/", "Origin", friend, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	if got := asked.Header().Get("Access-Control-Allow-Headers"); got != "authorization,content-type" {
		t.Errorf("headers that a friend may send: got %q", got)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := send(t, guard.Headers(whoami), "GET", "/")
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
