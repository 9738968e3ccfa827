// Package trail is what a request leaves behind: an id, which is in its answer
// and in every line of the log that it causes, and a line once it is answered.
package trail

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// Header is where clients and proxies send the id of a request, and where the
// answer has it.
const Header = "X-Request-Id"

// maxID bounds the length of an id that a client made.
const maxID = 64

type idKey struct{}

// identified is a context of the request with an id.
type identified struct {
	context.Context
	id string
}

// Value is the id for its key, and otherwise what the context within has.
func (c *identified) Value(key any) any {
	if key == (idKey{}) {
		return c.id
	}
	return c.Context.Value(key)
}

// WithID returns a context of the request with that id.
func WithID(ctx context.Context, id string) context.Context { return &identified{ctx, id} }

// ID is the id of the request that ctx belongs to; empty if it belongs to none.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// NewID returns a random id. It keeps no secret.
func NewID() string {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], rand.Uint64())
	return hex.EncodeToString(id[:])
}

// isSane reports whether an id of a client's may be in logs and answers.
func isSane(id string) bool {
	fits := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-+/=:", r)
	}
	return id != "" && len(id) <= maxID && strings.IndexFunc(id, func(r rune) bool { return !fits(r) }) < 0
}
