package main

import (
	"flag"
	"fmt"
	"os"

	"ream/cli/client"
	"ream/forwarded"
	"ream/resolvers"
)

// api is what an operator says about who may ask the API for what.
type api struct {
	proxies    forwarded.Proxies
	limits     resolvers.Limits
	hideSchema bool
	persisted  string // a file of documents; empty for none
	only       bool
}

// add adds the flags, with their defaults.
func (a *api) add(flags *flag.FlagSet) {
	a.limits = resolvers.DefaultLimits()
	flags.Var(&a.proxies, "trusted-proxy", "`NETWORK` of the proxies that are believed when they say in X-Forwarded-For whom they forward for, several with commas")
	flags.Var(unshown{&a.limits}, "limits", "what clients may ask for at most, as `NAME=VALUE`, several with commas, 0 for no limit (default: "+a.limits.String()+")")
	flags.BoolVar(&a.hideSchema, "hide-schema", false, "turn off introspection, and suggestions in errors; the playground then knows no names")
	flags.StringVar(&a.persisted, "persisted-queries", "", "a JSON `FILE` of GraphQL documents that clients may name by their hash")
	flags.BoolVar(&a.only, "only-persisted", false, "answer only the documents of --persisted-queries, and those of ream's own commands")
}

// check reports what the flags must not say.
func (a *api) check() error {
	return want(!a.only || a.persisted != "", "--only-persisted: name the documents with --persisted-queries")
}

// settings are those of the API's handler that the flags tell.
func (a *api) settings() (resolvers.Options, error) {
	o := resolvers.Options{Limits: a.limits, HideSchema: a.hideSchema, OnlyDocuments: a.only}
	if a.persisted == "" {
		return o, nil
	}
	manifest, err := os.ReadFile(a.persisted)
	if err != nil {
		return o, fmt.Errorf("--persisted-queries: %w", err)
	}
	if o.Documents, err = resolvers.ReadDocuments(a.limits, client.Operations, manifest); err != nil {
		return o, fmt.Errorf("--persisted-queries %s: %w", a.persisted, err)
	}
	return o, nil
}

// unshown is a flag whose usage tells its default.
type unshown struct{ flag.Value }

// String is empty, so that the default is told once.
func (unshown) String() string { return "" }
