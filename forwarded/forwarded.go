// Package forwarded tells where requests come from that reach the server
// through proxies.
package forwarded

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Header is where proxies write whom they forward for: each adds the address
// that it was asked from to the end of what it got.
const Header = "X-Forwarded-For"

// Proxies are the networks of the proxies that are trusted to tell whom they
// forward for. It is a flag.Value.
type Proxies []netip.Prefix

func (p Proxies) String() string {
	parts := make([]string, len(p))
	for i, network := range p {
		parts[i] = network.String()
	}
	return strings.Join(parts, ",")
}

// Set reads addresses and networks, with commas between.
func (p *Proxies) Set(text string) error {
	var read Proxies
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		network, err := netip.ParsePrefix(part)
		if addr, e := netip.ParseAddr(part); e == nil {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q: want an address or a network, such as 10.0.0.0/8, several with commas", part)
		}
		read = append(read, network.Masked())
	}
	*p = read
	return nil
}

// Handler gives requests that come from trusted proxies the address of the
// client as their RemoteAddr. That is the last one in X-Forwarded-For that is
// no trusted proxy's: what stands before it may be anybody's invention.
func (p Proxies) Handler(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client, forwarded := p.client(r); forwarded {
			inner := *r
			inner.RemoteAddr = net.JoinHostPort(client.String(), "0")
			r = &inner
		}
		next.ServeHTTP(w, r)
	})
}

// client is who asked the first trusted proxy.
func (p Proxies) client(r *http.Request) (client netip.Addr, forwarded bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.trusts(peer.Addr()) {
		return client, false
	}
	entries := strings.Split(strings.Join(r.Header.Values(Header), ","), ",")
	for i := len(entries) - 1; i >= 0; i-- {
		addr, ok := parse(entries[i])
		if !ok {
			break
		}
		client, forwarded = addr, true
		if !p.trusts(addr) {
			break
		}
	}
	return client, forwarded
}

func (p Proxies) trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// parse reads an entry of the header, which some proxies write with a port.
func parse(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return withPort.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	return addr.Unmap(), err == nil
}
