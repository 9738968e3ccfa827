package main

import (
	"flag"

	"ream/forwarded"
	"ream/resolvers"
)

// api is what an operator says about who may ask the API for what.
type api struct {
	proxies forwarded.Proxies
	limits  resolvers.Limits
}

// add adds the flags, with their defaults.
func (a *api) add(flags *flag.FlagSet) {
	a.limits = resolvers.DefaultLimits()
	flags.Var(&a.proxies, "trusted-proxy", "`NETWORK` of the proxies that are believed when they say in X-Forwarded-For whom they forward for, several with commas")
	flags.Var(unshown{&a.limits}, "limits", "what clients may ask for at most, as `NAME=VALUE`, several with commas, 0 for no limit (default: "+a.limits.String()+")")
}

// unshown is a flag whose usage tells its default.
type unshown struct{ flag.Value }

// String is empty, so that the default is told once.
func (unshown) String() string { return "" }
