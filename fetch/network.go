package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// Networks says which private addresses may be connected to: those that are
// not of the open internet, such as loopback. The zero Networks allow none.
type Networks struct {
	all     bool
	allowed []netip.Prefix
}

// ParseNetworks reads "all", "none", or networks and addresses with commas
// between them: "10.1.0.0/16,192.168.7.9,fd00::/8".
func ParseNetworks(s string) (Networks, error) {
	switch s {
	case "all":
		return Networks{all: true}, nil
	case "none":
		return Networks{}, nil
	}
	var n Networks
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			address, err := netip.ParseAddr(part)
			if err != nil || address.Zone() != "" {
				return Networks{}, fmt.Errorf("%q is neither all, none, nor a network such as 10.1.0.0/16", part)
			}
			address = address.Unmap()
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		n.allowed = append(n.allowed, prefix.Masked())
	}
	return n, nil
}

// allows reports whether the address may be connected to.
func (n Networks) allows(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if n.all {
		return true
	}
	for _, p := range n.allowed {
		if p.Contains(a) {
			return true
		}
	}
	if inner, ok := translated(a); ok {
		return n.allows(inner)
	}
	return !private(a)
}

// allowsHost reports whether a request for a host may go through a proxy. Only
// the proxy resolves names, so only what stands for an address by itself can be
// told, in whichever way the proxy may read it.
func (n Networks) allowsHost(name string) bool {
	for _, a := range standsFor(name) {
		if !n.allows(a) {
			return false
		}
	}
	return true
}

// errPrivate is why a connection is not made.
var errPrivate = errors.New("its address is not of the open internet")

// control refuses connections to private addresses. The dialer calls it with
// each address that it is about to connect to, after names were resolved.
func (n Networks) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address to connect to: %w", err)
	}
	if !n.allows(to.Addr()) {
		return errPrivate
	}
	return nil
}

// special are the networks that the registries of special-purpose addresses
// (RFC 6890) keep from the open internet, beside those that netip knows.
var special = prefixes(
	"0.0.0.0/8",       // this network: 0.0.0.0 leads to loopback
	"100.64.0.0/10",   // behind a carrier's address translation
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // former 6to4 relays
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, and broadcast
	"::/96",           // unspecified, loopback, and IPv4 in a form long dropped
	"64:ff9b:1::/48",  // local translation to IPv4
	"100::/64",        // discard
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"3fff::/20",       // documentation
	"5f00::/16",       // segment routing
	"fec0::/10",       // site-local of old
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// private reports whether an address is not one of the open internet.
func private(a netip.Addr) bool {
	if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || !a.IsValid() {
		return true
	}
	for _, p := range special {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Networks of IPv6 whose addresses hold one of IPv4, which gateways connect to.
var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	siit      = netip.MustParsePrefix("::ffff:0:0:0/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// translated returns the IPv4 address that an IPv6 address stands for.
func translated(a netip.Addr) (netip.Addr, bool) {
	bytes := a.As16()
	switch {
	case nat64.Contains(a), siit.Contains(a):
		return netip.AddrFrom4([4]byte(bytes[12:16])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(bytes[2:6])), true
	}
	return netip.Addr{}, false
}
