package origin

import (
	"bytes"
	"sync"
)

// keptFile is the size up to which a file's bytes are kept: what clients ask
// for most, such as the metadata that tells whether anything changed.
const keptFile = 8 << 10

// bodyCost is the memory that a body takes besides its bytes.
const bodyCost = 256

// bodies keeps the bytes of small files that were asked for, by their digest:
// opening, reading and closing a file takes a quarter of the time that such an
// answer takes. What a digest stands for never changes.
type bodies struct {
	most int // bytes of memory

	mu   sync.RWMutex
	kept map[string][]byte
	held int // bytes of memory
}

func newBodies(most int) *bodies { return &bodies{most: most, kept: map[string][]byte{}} }

// find returns the bytes with a digest, which nobody may change.
func (b *bodies) find(sha256 string) ([]byte, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	body, ok := b.kept[sha256]
	return body, ok
}

// keep remembers a copy of small bytes, in the place of any others if there is
// no room: those that are asked for often are soon back, and unlike the order
// of their last use that does not fail when clients go through more files than
// there is room for.
func (b *bodies) keep(sha256 string, body []byte) {
	cost := bodyCost + len(body)
	if len(body) > keptFile || cost > b.most {
		return
	}
	body = bytes.Clone(body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.kept[sha256]; ok {
		return
	}
	for other, its := range b.kept {
		if b.held+cost <= b.most {
			break
		}
		delete(b.kept, other)
		b.held -= bodyCost + len(its)
	}
	b.kept[sha256] = body
	b.held += cost
}
