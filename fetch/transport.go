package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"ream/plainhttp"
)

// maxTransports bounds the pools of open connections.
const maxTransports = 256

// What is kept of connections, with which transport ever.
const (
	idleTimeout = 90 * time.Second
	maxHead     = 256 << 10 // bytes of a response's status and headers
)

// transports keep connections open, in one pool for each way to connect:
// sources with the same identity and proxy share them.
type transports struct {
	dialer *net.Dialer
	idle   int // connections that one host may keep open
	plain  *plainhttp.Transport

	mu    sync.Mutex
	known *simplelru.LRU[way, *http.Transport]
}

// way is what connections that may be shared have in common.
type way struct{ identity, proxy string }

func newTransports(c Config) *transports {
	dialer := &net.Dialer{Timeout: 30 * time.Second, Control: c.Networks.control, Resolver: c.Resolver}
	return &transports{
		dialer: dialer,
		idle:   c.HostConnections,
		plain: &plainhttp.Transport{Dial: dialer.DialContext, IdlePerHost: c.HostConnections, Idle: 4 * c.HostConnections,
			IdleTimeout: idleTimeout, MaxHead: maxHead},
		known: newLRU(maxTransports, func(_ way, t *http.Transport) { t.CloseIdleConnections() }),
	}
}

// by returns what sends a request with an identity, through a proxy, which is nil
// for none.
func (t *transports) by(r *http.Request, own, elsewhere *identity, proxy *url.URL) http.RoundTripper {
	if proxy == nil && plainhttp.Takes(r) {
		return t.plain
	}
	return t.to(own, elsewhere, proxy)
}

// to returns the pool for an identity and a proxy, which is nil for none.
func (t *transports) to(own, elsewhere *identity, proxy *url.URL) *http.Transport {
	w := way{identity: own.key}
	if proxy != nil {
		w.proxy = proxy.String()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	pool, ok := t.known.Get(w)
	if !ok {
		pool = t.open(own, elsewhere, proxy)
		t.known.Add(w, pool)
	}
	return pool
}

// close closes the connections that are not in use.
func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.Purge()
	t.plain.CloseIdleConnections()
}

func (t *transports) open(own, elsewhere *identity, proxy *url.URL) *http.Transport {
	config := own.config.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	pool := &http.Transport{
		DialContext:            t.dialer.DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second}, // else a dead connection stays in the pool
		MaxIdleConns:           4 * t.idle,
		MaxIdleConnsPerHost:    t.idle,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,     // the digest is of the bytes as they are stored upstream
		ReadBufferSize:         16 << 10, // the head and the whole of a small file in one read
		MaxResponseHeaderBytes: maxHead,
		OnProxyConnectResponse: checkProxyAnswer,
	}
	if proxy != nil {
		to := *proxy
		if proxy.Scheme == "https" {
			to = url.URL{Scheme: "http", Host: withPort(proxy), User: proxy.User}
			pool.DialContext = t.dialProxy(proxy.Hostname(), elsewhere.config)
		}
		pool.Proxy = http.ProxyURL(&to)
	}
	return pool
}

// dialProxy connects to a proxy by TLS. The transport would show the proxy the
// client's certificate, and take it without a valid one of its own if the
// upstream needs none.
func (t *transports) dialProxy(name string, config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	config = config.Clone()
	config.ServerName, config.InsecureSkipVerify = name, false
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := t.dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
}

// withPort is the address that a URL's host stands for.
func withPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
