package origin

import "sync"

// kept is a part of memory in which things stay as long as there is room. What
// is there is found by all at once, who do not wait for each other.
type kept[K comparable, V any] struct {
	most int            // bytes
	cost func(K, V) int // in bytes, of memory

	mu   sync.RWMutex
	all  map[K]V
	held int // bytes
}

func newKept[K comparable, V any](most int, cost func(K, V) int) *kept[K, V] {
	return &kept[K, V]{most: most, cost: cost, all: map[K]V{}}
}

func (m *kept[K, V]) find(key K) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.all[key]
	return v, ok
}

// keep puts something there, unless there is something with its key, in the
// place of any others if there is no room: those that are asked for often are soon
// back, and unlike the order of their last use that does not fail when clients go
// through more than there is room for.
func (m *kept[K, V]) keep(key K, v V) {
	cost := m.cost(key, v)
	if cost > m.most {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.all[key]; ok {
		return
	}
	for other, its := range m.all {
		if m.held+cost <= m.most {
			break
		}
		delete(m.all, other)
		m.held -= m.cost(other, its)
	}
	m.all[key] = v
	m.held += cost
}
