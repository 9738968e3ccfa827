//go:build !linux

package main

import (
	"context"
	"net"
	"time"
)

// listen listens on an address. Nobody is disconnected for taking nothing where a
// kernel cannot be told.
func listen(ctx context.Context, address string, _ time.Duration) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}
