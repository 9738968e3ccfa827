package main

import (
	"errors"
	"flag"

	"ream/demand"
)

// onDemand are the flags about files that are fetched when clients ask for
// them.
type onDemand struct {
	small   int64
	fetches int
}

func (o *onDemand) add(flags *flag.FlagSet) {
	flags.Int64Var(&o.small, "on-demand-small", 4<<20, "of files that are fetched on demand, verify and store those of up to so many bytes before they are served; larger ones are served as they arrive, and their end once they are verified")
	flags.IntVar(&o.fetches, "on-demand-fetches", 32, "how many files to fetch on demand at once; from one host, at most three quarters of them")
}

func (o onDemand) check() error {
	return errors.Join(
		want(o.small >= 1<<16, "--on-demand-small: want 65536 or more"),
		want(o.fetches >= 1, "--on-demand-fetches: want 1 or more"))
}

// fetcher gets what clients ask for.
func (o onDemand) fetcher(e *engine) *demand.Fetcher {
	return demand.New(e.store, e.blobs, e.operations.Places, demand.Options{Log: e.log, Small: o.small, Fetches: o.fetches})
}
