package resolvers

// elsewhere runs f on a goroutine of its own and waits for it. Executing a
// document takes a deep stack, which a goroutine keeps for long: one that waits
// for frames most of the time, as thousands do, should not have it.
func elsewhere(f func()) {
	done := make(chan *panicError, 1)
	go func() {
		var failed *panicError
		defer func() { done <- failed }()
		defer func() {
			if v := recover(); v != nil {
				failed = panicErrorOf(v)
			}
		}()
		f()
	}()
	if failed := <-done; failed != nil {
		panic(failed)
	}
}
