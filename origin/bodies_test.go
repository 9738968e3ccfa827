package origin

import (
	"bytes"
	"testing"
)

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	const size = 1000
	b := newBodies(3 * (size + bodyCost))
	buf := make([]byte, size)
	keep := func(name string) {
		copy(buf, bytes.Repeat([]byte(name), size)) // as callers do, who use the buffer again
		b.keep(name, buf)
	}
	check := func(want int) {
		t.Helper()
		for name := range b.all {
			if body, ok := b.find(name); !ok || !bytes.Equal(body, bytes.Repeat([]byte(name), size)) {
				t.Errorf("%s: got %.10q, %t", name, body, ok)
			}
		}
		if held := want * (size + bodyCost); len(b.all) != want || b.held != held {
			t.Errorf("got %d bodies and %d bytes, want %d and %d", len(b.all), b.held, want, held)
		}
	}
	for _, name := range []string{"a", "b", "b", "c"} {
		keep(name)
	}
	check(3)
	keep("d") // in the place of another
	check(3)
	if _, ok := b.find("d"); !ok {
		t.Error("what was kept last is not found")
	}
	b.keep("large", make([]byte, keptFile+1))
	check(3)
	b = newBodies(size)
	keep("a") // larger than all there is
	check(0)
}
