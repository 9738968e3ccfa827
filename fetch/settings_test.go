package fetch_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.certificate("client")
	_, otherKey := a.certificate("other")
	headers := func(name, value string) map[string]secret.Text {
		return map[string]secret.Text{name: secret.New(value)}
	}
	many := map[string]secret.Text{}
	for i := range 51 {
		many[fmt.Sprintf("X-%d", i)] = secret.New("x")
	}
	const url = "https://example.org/PULP_MANIFEST"
	for _, test := range []struct {
		name     string
		settings fetch.Settings
		field    string // empty if it is good
		message  string
	}{
		{"nothing", fetch.Settings{}, "", ""},
		{"all", fetch.Settings{URL: url, Username: "me", Password: secret.New("p:w"), Headers: headers("X-Key", "ä b\u00a0c"), CACert: a.pem, ClientCert: cert + a.pem, ClientKey: secret.New(key),
			ProxyURL: "https://proxy:3128/", ProxyUsername: "me", ProxyPassword: secret.New("pw")}, "", ""},
		{"a token", fetch.Settings{URL: url, Token: secret.New("abc.def-~+/=")}, "", ""},
		{"a user without a password", fetch.Settings{URL: url, Username: "me"}, "", ""},

		{"no URL", fetch.Settings{URL: "nonsense"}, "url", "the URL's scheme"},
		{"a password in the URL", fetch.Settings{URL: "http://me:hunter2@host/"}, "url", "the URL holds a user name or password"},
		{"credentials for nobody", fetch.Settings{Username: "me"}, "url", "it is needed with credentials"},
		{"headers for nobody", fetch.Settings{Headers: headers("X-Key", "x")}, "url", "it is needed with credentials and headers"},
		{"a certificate for nobody", fetch.Settings{ClientCert: cert, ClientKey: secret.New(key)}, "url", "it is needed with a client certificate"},

		{"token and user", fetch.Settings{URL: url, Username: "me", Token: secret.New("abc")}, "token", "give either a token or a username"},
		{"a password without a user", fetch.Settings{URL: url, Password: secret.New("hunter2")}, "username", "it is needed with a password"},
		{"a colon in the user", fetch.Settings{URL: url, Username: "a:b"}, "username", "no colon"},
		{"a line in the user", fetch.Settings{URL: url, Username: "a\r\nb"}, "username", "no control character"},
		{"a line in the password", fetch.Settings{URL: url, Username: "a", Password: secret.New("hunter2\n")}, "password", "no control character"},
		{"a long user", fetch.Settings{URL: url, Username: strings.Repeat("a", 9000)}, "username", "more than 8192 bytes"},
		{"a long password", fetch.Settings{URL: url, Username: "a", Password: secret.New(strings.Repeat("a", 9000))}, "password", "more than 8192 bytes"},
		{"a space in the token", fetch.Settings{URL: url, Token: secret.New("hunter2 x")}, "token", "without spaces"},
		{"a line in the token", fetch.Settings{URL: url, Token: secret.New("hunter2\r\nHost: x")}, "token", "without spaces"},

		{"too many headers", fetch.Settings{URL: url, Headers: many}, "headers", "there are 51: at most 50"},
		{"a header without a name", fetch.Settings{URL: url, Headers: headers("", "x")}, "headers", "the name"},
		{"a bad name", fetch.Settings{URL: url, Headers: headers("X Key", "x")}, "headers", `the name "X Key"`},
		{"a name of two lines", fetch.Settings{URL: url, Headers: headers("X: y\r\nHost", "x")}, "headers", "the name"},
		{"a header without a value", fetch.Settings{URL: url, Headers: headers("X-Key", "")}, "headers", "the value of X-Key"},
		{"a value of two lines", fetch.Settings{URL: url, Headers: headers("X-Key", "hunter2\r\nHost: x")}, "headers", "the value of X-Key"},
		{"a value with a space at its end", fetch.Settings{URL: url, Headers: headers("X-Key", "hunter2 ")}, "headers", "the value of X-Key begins or ends with a space"},

		{"authorities that are none", fetch.Settings{CACert: "hunter2"}, "caCert", "want certificates in PEM"},
		{"a damaged authority", fetch.Settings{CACert: strings.Replace(a.pem, "MII", "AAA", 1)}, "caCert", "certificate 1 is not valid"},
		{"a key among the authorities", fetch.Settings{CACert: a.pem + key}, "caCert", "it may hold certificates alone"},
		{"long authorities", fetch.Settings{CACert: strings.Repeat(" ", 300<<10)}, "caCert", "more than 262144 bytes"},
		{"a certificate without a key", fetch.Settings{URL: url, ClientCert: cert}, "clientKey", "it is needed with a client certificate"},
		{"a key without a certificate", fetch.Settings{URL: url, ClientKey: secret.New(key)}, "clientCert", "it is needed with a client key"},
		{"a key of another certificate", fetch.Settings{URL: url, ClientCert: cert, ClientKey: secret.New(otherKey)}, "clientKey", "want the unencrypted private key"},
		{"a key that is none", fetch.Settings{URL: url, ClientCert: cert, ClientKey: secret.New("hunter2")}, "clientKey", "want the unencrypted private key"},
		{"a key in the certificate", fetch.Settings{URL: url, ClientCert: cert + key, ClientKey: secret.New(key)}, "clientCert", "it may hold certificates alone"},
		{"a long key", fetch.Settings{URL: url, ClientCert: cert, ClientKey: secret.New(strings.Repeat(" ", 300<<10))}, "clientKey", "more than 262144 bytes"},

		{"a proxy that is none", fetch.Settings{ProxyURL: "proxy:3128"}, "proxyUrl", "want a URL such as http://proxy.example.org:3128"},
		{"a proxy without a host", fetch.Settings{ProxyURL: "http://:3128"}, "proxyUrl", "want a URL such as"},
		{"a proxy of another kind", fetch.Settings{ProxyURL: "ftp://proxy"}, "proxyUrl", `its scheme "ftp" is not supported`},
		{"a proxy's password in its URL", fetch.Settings{ProxyURL: "http://me:hunter2@proxy:3128"}, "proxyUrl", "use proxyUsername and proxyPassword"},
		{"a damaged proxy URL", fetch.Settings{ProxyURL: "http://me:hunter2@[proxy"}, "proxyUrl", "want a URL such as"},
		{"a proxy with a path", fetch.Settings{ProxyURL: "http://proxy/path"}, "proxyUrl", "no path"},
		{"a proxy's user without a proxy", fetch.Settings{ProxyUsername: "me"}, "proxyUrl", "it is needed with a username of the proxy"},
		{"a proxy's password without a user", fetch.Settings{ProxyURL: "http://proxy", ProxyPassword: secret.New("hunter2")}, "proxyUsername", "it is needed with a password of the proxy"},
		{"a line in the proxy's user", fetch.Settings{ProxyURL: "http://proxy", ProxyUsername: "me\n"}, "proxyUsername", "without control characters"},
		{"a line in the proxy's password", fetch.Settings{ProxyURL: "http://proxy", ProxyUsername: "me", ProxyPassword: secret.New("hunter2\n")}, "proxyPassword", "without control characters"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.settings.Check()
			if test.field == "" {
				if err != nil {
					t.Errorf("Check: %v", err)
				}
				return
			}
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.BadInput || f.Field != test.field || !strings.Contains(f.Message, test.message) {
				t.Errorf("Check: got %v, want BadInput for %s: %q", err, test.field, test.message)
			}
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
	for _, name := range []string{"Authorization", "authorization", "Host", "Range", "If-Range", "Accept-Encoding", "Connection", "Keep-Alive", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Expect", "Content-Length", "Proxy-Authorization", "Proxy-Connection", "If-None-Match"} {
		err := fetch.Settings{URL: url, Headers: headers(name, "x")}.Check()
		if !fault.Is(err, fault.BadInput) || !strings.Contains(fault.Message(err), "is not allowed: ") {
			t.Errorf("Check with the header %s: got %v, want that it is not allowed", name, err)
		}
	}
}

// TestErrorsTellNoSecrets has upstreams that repeat in their answers what they
// were sent, where the error quotes it.
func TestErrorsTellNoSecrets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, answer string }{
		{"in place of the protocol", "%s\r\n\r\n"},
		{"as the status", "HTTP/1.1 %s\r\n\r\n"},
		{"as the reason", "HTTP/1.1 404 %s\r\nContent-Length: 0\r\n\r\n"},
		{"as a header", "HTTP/1.1 200 OK\r\n%s\r\n\r\n"},
		{"as the length", "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n"},
		{"as the encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n"},
		{"as the redirect", "HTTP/1.1 302 Found\r\nLocation: http://%%%s\r\n\r\n"},
		{"as a redirect that leads nowhere", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/%s\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					r, err := http.ReadRequest(bufio.NewReader(conn))
					if err == nil {
						_, password, _ := r.BasicAuth()
						fmt.Fprintf(conn, test.answer, password+r.Header.Get("Authorization")+r.Header.Get("X-Key")+r.Header.Get("Proxy-Authorization"))
					}
					conn.Close()
				}
			}()
			address := "http://" + l.Addr().String()
			settings := credentials(address)
			settings.Attempts = 1
			settings.Password = secret.New("hunter2\"\\é") // which a quotation shows in another form
			byProxy := settings
			byProxy.ProxyURL, byProxy.ProxyUsername, byProxy.ProxyPassword = address, "me", secret.New("mellon")
			for _, settings := range []fetch.Settings{settings, byProxy} {
				s, _ := newSource(t, settings)
				_, err = s.Get(t.Context(), anything(address+"/a?token=hunter2"), &sink{})
				if err == nil {
					t.Fatal("it worked")
				}
				for _, text := range []string{"hunter2", "sesame", "bWU6aHVudGVyMi", "mellon", "bWU6bWVsbG9u"} {
					if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), text) {
						t.Errorf("%q is in the error: %v", text, err)
					}
				}
			}
		})
	}
}
