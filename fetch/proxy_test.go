package fetch_test

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

// proxy lets requests through to one upstream, whatever host they name, for
// those who know the password.
type proxy struct {
	t        *testing.T
	upstream string // host:port
	status   int    // of its answers to requests for connections, instead of letting through

	mu    sync.Mutex
	asked []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("me:hunter2")) {
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if p.status != 0 {
		w.WriteHeader(p.status)
		return
	}
	p.seen(r.Method + " " + r.Host)
	if r.Method != http.MethodConnect {
		r.URL.Host = p.upstream
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			p.t.Errorf("proxy: %v", err)
			return
		}
		defer response.Body.Close()
		for name, values := range response.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(response.StatusCode)
		io.Copy(w, response.Body) //nolint:errcheck // the client tells
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Errorf("proxy: %v", err)
		return
	}
	fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n")
	p.tunnel(client)
}

func (p *proxy) seen(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, target)
}

// targets are what was asked for with the right credentials.
func (p *proxy) targets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *proxy) tunnel(client net.Conn) {
	defer client.Close()
	up, err := net.Dial("tcp", p.upstream)
	if err != nil {
		p.t.Errorf("proxy: %v", err)
		return
	}
	defer up.Close()
	go io.Copy(up, client) //nolint:errcheck // it ends with the connections
	io.Copy(client, up)    //nolint:errcheck // the client tells
}

// socks serves SOCKS 5 with the same rules, and returns its address.
func (p *proxy) socks() string {
	p.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serveSocks(client)
		}
	}()
	return l.Addr().String()
}

func (p *proxy) serveSocks(client net.Conn) {
	read := func(n int) []byte {
		b := make([]byte, n)
		io.ReadFull(client, b) //nolint:errcheck // what is missing is wrong
		return b
	}
	defer client.Close()
	read(int(read(2)[1]))      // the methods
	client.Write([]byte{5, 2}) //nolint:errcheck // a username and a password
	user := string(read(int(read(2)[1])))
	password := string(read(int(read(1)[0])))
	if user != "me" || password != "hunter2" {
		client.Write([]byte{1, 1}) //nolint:errcheck // refused
		return
	}
	client.Write([]byte{1, 0}) //nolint:errcheck // welcome
	host := string(read(int(read(5)[4])))
	port := read(2)
	p.seen(fmt.Sprintf("SOCKS %s:%d", host, int(port[0])<<8|int(port[1])))
	client.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}) //nolint:errcheck // connected
	p.tunnel(client)
}

func hostOf(u *upstream) string { return u.Listener.Addr().String() }

func TestProxy(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.certificate("files.example.org")
	secure := a.listen(cert, key, nil, body("hello"))
	plain := newUpstream(t, body("hello"))

	start := func(t *testing.T, upstream *upstream, status int) (*proxy, *upstream) {
		p := &proxy{t: t, upstream: hostOf(upstream), status: status}
		return p, newUpstream(t, p.ServeHTTP)
	}
	with := func(address, password string) fetch.Settings {
		return fetch.Settings{URL: "https://files.example.org/", CACert: a.pem, ProxyURL: address, ProxyUsername: "me", ProxyPassword: secret.New(password)}
	}
	for _, test := range []struct {
		name     string
		upstream *upstream
		url      string
		asked    string
	}{
		{"plain", plain, "http://files.example.org/a", "GET files.example.org"},
		{"TLS", secure, "https://files.example.org/a", "CONNECT files.example.org:443"},
	} {
		t.Run("http/"+test.name, func(t *testing.T) {
			t.Parallel()
			p, server := start(t, test.upstream, 0)
			s, _ := newSource(t, with(server.URL, "hunter2"))
			var into sink
			got, err := s.Get(t.Context(), anything(test.url), &into)
			check(t, got, err, &into, "hello")
			if asked := p.targets(); len(asked) != 1 || asked[0] != test.asked {
				t.Errorf("the proxy was asked for %q, want %q", asked, test.asked)
			}
		})
		t.Run("https/"+test.name, func(t *testing.T) {
			t.Parallel()
			p := &proxy{t: t, upstream: hostOf(test.upstream)}
			cert, key := a.certificate("127.0.0.1")
			server := a.listen(cert, key, func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, p.ServeHTTP)
			settings := with(server.URL, "hunter2")
			clientCert, clientKey := a.certificate("client")
			settings.ClientCert, settings.ClientKey = clientCert, secret.New(clientKey)
			s, _ := newSource(t, settings)
			var into sink
			got, err := s.Get(t.Context(), anything(test.url), &into)
			check(t, got, err, &into, "hello")
			if asked := p.targets(); len(asked) != 1 || asked[0] != test.asked {
				t.Errorf("the proxy was asked for %q, want %q", asked, test.asked)
			}
			if n := len(server.seen()[0].TLS.PeerCertificates); n > 0 {
				t.Error("the proxy was shown the client's certificate")
			}
		})
		t.Run("socks5/"+test.name, func(t *testing.T) {
			t.Parallel()
			p := &proxy{t: t, upstream: hostOf(test.upstream)}
			s, _ := newSource(t, with("socks5://"+p.socks(), "hunter2"))
			var into sink
			got, err := s.Get(t.Context(), anything(test.url), &into)
			check(t, got, err, &into, "hello")
			if asked := p.targets(); len(asked) != 1 || !strings.HasPrefix(asked[0], "SOCKS files.example.org:") {
				t.Errorf("the proxy was asked for %q", asked)
			}
		})
	}

	for _, test := range []struct {
		name     string
		upstream *upstream
		url      string
		password string
		status   int
		message  string
	}{
		{"wrong password", plain, "http://files.example.org/a", "wrong", 0, "407 Proxy Authentication Required"},
		{"wrong password, TLS", secure, "https://files.example.org/a", "wrong", 0, "the proxy demands other credentials"},
		{"refusing", secure, "https://files.example.org/a", "hunter2", 403, "the proxy answers 403 Forbidden"},
		{"failing", secure, "https://files.example.org/a", "hunter2", 502, "the proxy answers 502 Bad Gateway (tried 5 times)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, server := start(t, test.upstream, test.status)
			s, _ := newSource(t, with(server.URL, test.password))
			_, err := s.Get(t.Context(), anything(test.url), &sink{})
			if want := test.url + ": " + test.message; fault.Message(err) != want || !fault.Is(err, fault.Unavailable) {
				t.Errorf("Get: got %v, want Unavailable %q", err, want)
			}
			if strings.Contains(fmt.Sprint(err), test.password) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		_, server := start(t, plain, 0)
		server.Close()
		for _, scheme := range []string{"http://", "https://", "socks5://"} {
			s, _ := newSource(t, with(scheme+hostOf(server), "hunter2"))
			_, err := s.Get(t.Context(), anything("http://files.example.org/a"), &sink{})
			if want := "http://files.example.org/a: the proxy cannot be reached or does not let it through (tried 5 times)"; fault.Message(err) != want {
				t.Errorf("Get by %s: got %v, want %q", scheme, err, want)
			}
		}
	})
	t.Run("socks5 with a wrong password", func(t *testing.T) {
		t.Parallel()
		p := &proxy{t: t, upstream: hostOf(plain)}
		s, _ := newSource(t, with("socks5://"+p.socks(), "wrong"))
		_, err := s.Get(t.Context(), anything("http://files.example.org/a"), &sink{})
		if want := "http://files.example.org/a: the proxy cannot be reached or does not let it through (tried 5 times)"; fault.Message(err) != want || strings.Contains(fmt.Sprint(err), "wrong") {
			t.Errorf("Get: got %v, want %q", err, want)
		}
	})
	t.Run("with a certificate of nobody's", func(t *testing.T) {
		t.Parallel()
		other := newAuthority(t)
		cert, key := other.certificate("127.0.0.1")
		server := a.listen(cert, key, nil, body("never"))
		settings := with(server.URL, "hunter2")
		settings.Unverified = true // holds for the upstream alone: the proxy gets a password
		s, _ := newSource(t, settings)
		_, err := s.Get(t.Context(), anything("http://files.example.org/a"), &sink{})
		if want := "http://files.example.org/a: the proxy's TLS certificate is not of an authority that is trusted: caCert names others"; fault.Message(err) != want || len(server.seen()) > 0 {
			t.Errorf("Get: got %v and %d requests to the proxy, want %q", err, len(server.seen()), want)
		}
	})
}

// TestProxyAndPrivateAddresses shows what can be checked if only the proxy
// resolves names: its own address, and addresses that stand in the URL.
func TestProxyAndPrivateAddresses(t *testing.T) {
	t.Parallel()
	p := &proxy{t: t, upstream: hostOf(newUpstream(t, body("hello")))}
	server := newUpstream(t, p.ServeHTTP)
	settings := fetch.Settings{ProxyURL: server.URL, ProxyUsername: "me", ProxyPassword: secret.New("hunter2")}
	through := 0
	for _, test := range []struct {
		networks, url string
		refused       bool
	}{
		{"127.0.0.1", "http://files.example.org/a", false},
		{"127.0.0.1", "http://169.254.169.254/a", true},
		{"127.0.0.1", "http://[::ffff:100.64.0.1]/a", true},
		{"127.0.0.1", "http://[::ffff:0:169.254.169.254]/a", true},
		{"127.0.0.1", "http://169.254.169.254./a", true},
		{"127.0.0.1", "http://169.254.169.254../a", true},
		{"127.0.0.1", "http://2852039166/a", true},
		{"127.0.0.1", "http://0xa9fea9fe/a", true},
		{"127.0.0.1", "http://0XA9.0xfe.43518/a", true},
		{"127.0.0.1", "http://169.16689662/a", true},
		{"127.0.0.1", "http://0251.0376.0251.0376/a", true},
		{"127.0.0.1", "http://0169.254.169.254/a", true},
		{"127.0.0.1", "http://010.0.0.1/a", true},
		{"127.0.0.1", "http://10.1/a", true},
		{"127.0.0.1", "http://0/a", true},
		{"127.0.0.1", "http://１６９。254.169.254/a", true},
		{"127.0.0.1", "http://localhost/a", true},
		{"127.0.0.1", "http://LocalHost./a", true},
		{"127.0.0.1", "http://a.localhost/a", true},
		{"127.0.0.1", "http://127.1/a", false},
		{"127.0.0.1", "http://134744072/a", false},
		{"127.0.0.1", "http://4294967296/a", false},
		{"127.0.0.1", "http://1.2.3.4.5/a", false},
		{"127.0.0.1", "http://0x.example.org/a", false},
		{"127.0.0.1", "http://notlocalhost/a", false},
		{"127.0.0.1,::1", "http://localhost/a", false},
		{"10.0.0.0/8", "http://files.example.org/a", true},
	} {
		s := guarded(t, test.networks, nil, settings)
		_, err := s.Get(t.Context(), anything(test.url), &sink{})
		if !test.refused {
			through++
		}
		if test.refused != fault.Is(err, fault.Forbidden) || !test.refused && err != nil {
			t.Errorf("Get(%s) with %s allowed: got %v", test.url, test.networks, err)
		}
	}
	if n := len(server.seen()); n != through {
		t.Errorf("the proxy got %d requests, want %d", n, through)
	}
}

// TestCredentialsFollowToTLS redirects from http to https on the usual ports
// of the same host, which still is the source's own.
func TestCredentialsFollowToTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.certificate("files.example.org")
	secure := a.listen(cert, key, nil, body("hello"))
	plain := newUpstream(t, redirect("https://files.example.org/a"))
	toPlain, toSecure := &proxy{t: t, upstream: hostOf(plain)}, &proxy{t: t, upstream: hostOf(secure)}
	server := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			toSecure.ServeHTTP(w, r)
			return
		}
		toPlain.ServeHTTP(w, r)
	})
	settings := credentials("http://files.example.org/")
	settings.CACert, settings.ProxyURL, settings.ProxyUsername, settings.ProxyPassword = a.pem, server.URL, "me", secret.New("hunter2")
	s, _ := newSource(t, settings)
	var into sink
	got, err := s.Get(t.Context(), anything("http://files.example.org/a"), &into)
	check(t, got, err, &into, "hello")
	if got := shows(secure.seen()[0]); got != showsAll {
		t.Errorf("got %q by TLS, want %q", got, showsAll)
	}
}
