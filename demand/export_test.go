package demand

// PartReaders is how many readers wait for parts.
func (f *Fetcher) PartReaders() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.parts {
		n += p.readers
	}
	return n
}

// Waiting is how many fetches wait for a turn.
func (f *Fetcher) Waiting() int {
	f.turns.mu.Lock()
	defer f.turns.mu.Unlock()
	return f.turns.waiting.Len()
}

// Taken is how many turns are taken.
func (f *Fetcher) Taken() int {
	f.turns.mu.Lock()
	defer f.turns.mu.Unlock()
	return f.Fetches - f.turns.free
}
