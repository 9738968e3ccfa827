package guard

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"ream/fault"
	"ream/quota"
)

// So many failures in a row an address has, and then one more so often.
const (
	failuresAtOnce = 10
	failuresEvery  = 6 * time.Second
	maxAddresses   = 10_000
)

// failures bound how often an address may show credentials that are not good.
// It is no protection of the tokens, which nobody can guess, but of the
// database, the issuer and the log.
type failures struct {
	now      func() time.Time
	limiters *lru.Cache[string, *rate.Limiter]
}

func newFailures(now func() time.Time) *failures {
	limiters, err := lru.New[string, *rate.Limiter](maxAddresses)
	if err != nil {
		panic(err) // only of a size that is not positive
	}
	return &failures{now, limiters}
}

// check fails with fault.RateLimited if an address failed too often.
func (f *failures) check(address string) error {
	limiter, ok := f.limiters.Get(quota.Address(address))
	if ok && limiter.TokensAt(f.now()) < 1 {
		return tooMany()
	}
	return nil
}

// add counts a failure. It fails like check.
func (f *failures) add(address string) error {
	key := quota.Address(address)
	limiter, ok := f.limiters.Get(key)
	if !ok {
		limiter = rate.NewLimiter(rate.Every(failuresEvery), failuresAtOnce)
		if previous, found, _ := f.limiters.PeekOrAdd(key, limiter); found {
			limiter = previous
		}
	}
	if !limiter.AllowN(f.now(), 1) {
		return tooMany()
	}
	return nil
}

func tooMany() error {
	return fault.New(fault.RateLimited, "too many credentials from this address were not good: try again in %d seconds", int(failuresEvery/time.Second))
}
