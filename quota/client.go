// Package quota keeps each client of the server to its share of it.
package quota

import (
	"context"
	"net/http"
	"net/netip"
)

// shared is how many bits of an IPv6 address a client cannot choose: whoever
// has one address has those of its whole network.
const shared = 64

type clientKey struct{}

// WithClient says which client asks in whatever is done with the context. The
// name is the caller's own choice, such as the id of a token.
func WithClient(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, clientKey{}, name)
}

// ClientOf names the client that asks. All of whom nothing was said are one.
func ClientOf(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}

// ByAddress names the client of each request by the address it comes from:
// whoever knows more of it calls WithClient.
func ByAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(WithClient(r.Context(), Address(r.RemoteAddr))))
	})
}

// Address names a client by the address, with or without a port, that it
// connects from. All addresses of an IPv6 network of 64 bits are one client.
func Address(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if withPort, e := netip.ParseAddrPort(remote); e == nil {
		addr, err = withPort.Addr(), nil
	}
	if err != nil {
		return remote
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	network, _ := addr.Prefix(shared) // an IPv6 address has that many bits
	return network.String()
}
