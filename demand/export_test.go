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
