package origin

import "bytes"

// keptFile is the size up to which a file's bytes are kept: what clients ask
// for most, such as the metadata that tells whether anything changed.
const keptFile = 8 << 10

// bodyCost is the memory that a body takes besides its bytes.
const bodyCost = 256

// bodies keeps the bytes of small files that were asked for, by their digest:
// opening, reading and closing a file takes a quarter of the time that such an
// answer takes. What a digest stands for never changes.
type bodies struct{ *kept[string, []byte] }

// newBodies keeps up to most bytes of memory.
func newBodies(most int) bodies {
	return bodies{newKept(most, func(_ string, body []byte) int { return bodyCost + len(body) })}
}

// keep remembers a copy of small bytes. Nobody may change what is found.
func (b bodies) keep(sha256 string, body []byte) {
	if len(body) <= keptFile {
		b.kept.keep(sha256, bytes.Clone(body))
	}
}
