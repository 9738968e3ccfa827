package fetch_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	a.pem, a.key = a.sign(template, template, nil)
	block, _ := pem.Decode([]byte(a.pem))
	var err error
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (string, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), key
}

// certificate returns one for a host and for clients, and its key.
func (a *authority) certificate(host string, change ...func(*x509.Certificate)) (cert, key string) {
	a.t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	for _, c := range change {
		c(template)
	}
	cert, private := a.sign(template, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// listen starts an upstream with such a certificate of the authority's.
func (a *authority) listen(cert, key string, change func(*tls.Config), steps ...http.HandlerFunc) *upstream {
	a.t.Helper()
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		a.t.Fatal(err)
	}
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(u.handler(steps))
	u.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if change != nil {
		change(u.TLS)
	}
	u.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	u.StartTLS()
	a.t.Cleanup(u.Close)
	return u
}

func TestTLS(t *testing.T) {
	t.Parallel()
	a, other := newAuthority(t), newAuthority(t)
	clientCert, clientKey := a.certificate("client")
	otherCert, otherKey := other.certificate("client")
	hello := body("hello")
	host := func(name string, change ...func(*x509.Certificate)) *upstream {
		cert, key := a.certificate(name, change...)
		return a.listen(cert, key, nil, hello)
	}
	demanding := func() *upstream {
		cert, key := a.certificate("127.0.0.1")
		return a.listen(cert, key, func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			c.ClientCAs.AddCert(a.cert)
		}, hello)
	}
	past := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	const (
		notTrusted = "its TLS certificate is not of an authority that is trusted: caCert names others"
		refused    = "it refuses the TLS connection: it may demand a client certificate, or another one"
	)
	for _, test := range []struct {
		name     string
		upstream *upstream
		settings fetch.Settings
		message  string // empty if it works
	}{
		{"trusted", host("127.0.0.1"), fetch.Settings{CACert: a.pem}, ""},
		{"one of several trusted", host("127.0.0.1"), fetch.Settings{CACert: other.pem + a.pem}, ""},
		{"not trusted", host("127.0.0.1"), fetch.Settings{}, notTrusted},
		{"of another authority", host("127.0.0.1"), fetch.Settings{CACert: other.pem}, notTrusted},
		{"of another host", host("example.org"), fetch.Settings{CACert: a.pem}, "its TLS certificate is for another host"},
		{"expired", host("127.0.0.1", past), fetch.Settings{CACert: a.pem}, "its TLS certificate has expired or is not valid yet"},
		{"not verified", host("example.org", past), fetch.Settings{Unverified: true}, ""},
		{"client with a certificate", demanding(), fetch.Settings{CACert: a.pem, ClientCert: clientCert, ClientKey: secret.New(clientKey)}, ""},
		{"client without a certificate", demanding(), fetch.Settings{CACert: a.pem}, refused},
		{"client of another authority", demanding(), fetch.Settings{CACert: a.pem, ClientCert: otherCert, ClientKey: secret.New(otherKey)}, refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.settings.URL = test.upstream.URL
			s, w := newSource(t, test.settings)
			var into sink
			got, err := s.Get(t.Context(), anything(test.upstream.URL+"/a"), &into)
			if test.message == "" {
				check(t, got, err, &into, "hello")
				return
			}
			if want := test.upstream.URL + "/a: " + test.message; fault.Message(err) != want || !fault.Is(err, fault.Unavailable) {
				t.Errorf("Get: got %v, want Unavailable %q", err, want)
			}
			if len(w.took) > 0 {
				t.Errorf("it was tried again after %v: what is wrong does not pass", w.took)
			}
		})
	}
	t.Run("no TLS at all", func(t *testing.T) {
		t.Parallel()
		up := newUpstream(t, hello)
		s, _ := newSource(t, fetch.Settings{})
		_, err := s.Get(t.Context(), anything("https://127.0.0.1:"+port(t, up.URL)+"/a"), &sink{})
		if want := "https://127.0.0.1:" + port(t, up.URL) + "/a: it does not speak TLS"; fault.Message(err) != want {
			t.Errorf("Get: got %v, want %q", err, want)
		}
	})
}

// TestClientCertificateStaysAtItsHost redirects to a host that asks for a
// certificate, and would believe the client's.
func TestClientCertificateStaysAtItsHost(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	asks := func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }
	cert, key := a.certificate("localhost")
	other := a.listen(cert, key, asks, body("hello"))
	cert, key = a.certificate("127.0.0.1")
	up := a.listen(cert, key, asks, redirect("https://localhost:"+port(t, other.URL)+"/a"))
	s, _ := newSource(t, fetch.Settings{URL: up.URL, CACert: a.pem, ClientCert: cert, ClientKey: secret.New(key)})
	var into sink
	got, err := s.Get(t.Context(), anything(up.URL+"/a"), &into)
	check(t, got, err, &into, "hello")
	if n := len(up.seen()[0].TLS.PeerCertificates); n != 1 {
		t.Errorf("the own host was shown %d certificates, want 1", n)
	}
	if n := len(other.seen()[0].TLS.PeerCertificates); n != 0 {
		t.Errorf("the other host was shown %d certificates, want none", n)
	}
}
