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

// Flights is how many files are being fetched, or are to be.
func (f *Fetcher) Flights() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.flights)
}

// Waiters is how many fetches wait for a turn.
func (f *Fetcher) Waiters() int {
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

// Readers is how many read files, not parts.
func (f *Fetcher) Readers() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fl := range f.flights {
		n += fl.readers
	}
	return n
}
