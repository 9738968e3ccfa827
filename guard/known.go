package guard

import (
	"sync"
	"time"

	"ream/access"
)

// maxKnown bounds how many tokens are known without asking.
const maxKnown = 10_000

// known are tokens that were looked up a moment ago, whatever their state.
type known struct {
	now func() time.Time

	mu         sync.Mutex
	generation int // grows when everything is forgotten
	byHash     map[string]knownToken
	ids        map[access.TokenID]struct{} // of those that were looked up since everything was forgotten
}

type knownToken struct {
	token *access.Token
	until time.Time
}

func newKnown(now func() time.Time) *known {
	return &known{now: now, byHash: map[string]knownToken{}, ids: map[access.TokenID]struct{}{}}
}

// find returns the token with a hash, nil if it is not known, and the
// generation that add wants.
func (k *known) find(hash string) (*access.Token, int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found := k.byHash[hash]; found.token != nil && k.now().Before(found.until) {
		return found.token, k.generation
	}
	return nil, k.generation
}

// add makes a token known, unless something was forgotten since it was looked
// up: what was read may be older than that.
func (k *known) add(hash string, t *access.Token, generation int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if generation != k.generation {
		return
	}
	if len(k.byHash) >= maxKnown {
		clear(k.byHash)
		clear(k.ids)
	}
	k.ids[t.ID] = struct{}{}
	k.byHash[hash] = knownToken{t, k.now().Add(knownFor)}
}

func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generation++
	clear(k.byHash)
	clear(k.ids)
}

// has reports whether nothing was forgotten since a token was looked up.
func (k *known) has(id access.TokenID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.ids[id]
	return ok
}
