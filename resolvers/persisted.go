package resolvers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/fault"
)

// persistedQuery is the extension by which clients name a document by its hash,
// as the protocol of automatic persisted queries has it.
const persistedQuery = "persistedQuery"

// notPersisted is what clients are told of a hash that is not known. They know
// it by this text, and send the document with its hash then.
const notPersisted = "PersistedQueryNotFound"

// persisted finds the documents that clients name by their hash: those that are
// registered, and those that a client sent with its hash before.
type persisted struct {
	registered *Documents // nil for none
	only       bool       // nothing but registered documents is answered
	sent       *textCache
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
} = &persisted{}

// ExtensionName names the extension.
func (*persisted) ExtensionName() string { return "PersistedQueries" }

// Validate accepts any schema.
func (*persisted) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters puts the document in the place of its hash.
func (p *persisted) MutateOperationParameters(_ context.Context, request *graphql.RawParams) *gqlerror.Error {
	hash, named, err := hashIn(request.Extensions)
	if err != nil {
		return reject(err)
	}
	if p.only {
		return p.mustBeRegistered(request, hash)
	}
	switch {
	case !named:
		return nil
	case request.Query != "" && hashOf(request.Query) != hash:
		return reject(fault.Input("extensions.persistedQuery.sha256Hash", "it is not the SHA-256 of the query, in 64 lower-case hex digits"))
	case request.Query != "":
		p.sent.add(hash, request.Query)
		return nil
	}
	text, known := p.registered.text(hash)
	if !known {
		text, known = p.sent.get(hash)
	}
	if !known {
		return reject(fault.New(fault.NotFound, notPersisted))
	}
	request.Query = text
	return nil
}

func (p *persisted) mustBeRegistered(request *graphql.RawParams, hash string) *gqlerror.Error {
	if request.Query != "" {
		hash = hashOf(request.Query)
	}
	text, known := p.registered.text(hash)
	if !known {
		return reject(fault.New(fault.Forbidden, "this document is not registered, and no other is answered: the server's operator can register it"))
	}
	request.Query = text
	return nil
}

// hashIn reads the extension, which may be left out.
func hashIn(extensions map[string]any) (hash string, named bool, err error) {
	value := extensions[persistedQuery]
	if value == nil {
		return "", false, nil
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return "", false, fault.Input("extensions.persistedQuery", "it must be an object with version and sha256Hash")
	}
	if version, ok := integer(fields["version"]); !ok || version != 1 {
		return "", false, fault.Input("extensions.persistedQuery.version", "it must be 1")
	}
	if hash, ok = fields["sha256Hash"].(string); !ok || hash == "" {
		return "", false, fault.Input("extensions.persistedQuery.sha256Hash", "it must be the SHA-256 of the query, in 64 lower-case hex digits")
	}
	return hash, true, nil
}

// hashOf is the SHA-256 of a document in hex.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// textCache keeps the documents that were used last, within so many bytes. It is
// safe for concurrent use.
type textCache struct {
	room int

	mu    sync.Mutex
	used  int
	texts *simplelru.LRU[string, string]
}

// textOverhead is about what a document takes besides its text: its hash, and
// its place in the cache.
const textOverhead = 256

// newTextCache returns an empty cache; 0 bytes are any number.
func newTextCache(room Bytes) *textCache {
	c := &textCache{room: int(orNone(room))}
	var err error
	c.texts, err = simplelru.NewLRU(int(orNone(Bytes(0))), func(_, text string) { c.used -= len(text) + textOverhead })
	if err != nil {
		panic(err) // only for sizes below 1
	}
	return c
}

func (c *textCache) get(hash string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts.Get(hash)
}

// add keeps a document, unless it would take up more than a tenth of the room.
func (c *textCache) add(hash, text string) {
	if len(text)+textOverhead > c.room/10 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.texts.Get(hash); known {
		return
	}
	c.texts.Add(hash, text)
	for c.used += len(text) + textOverhead; c.used > c.room; {
		c.texts.RemoveOldest()
	}
}
