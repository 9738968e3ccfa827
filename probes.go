package main

import (
	"fmt"
	"net/http"
)

// addProbes answers those who watch the process: whether it runs, whether its
// database answers, and what it counts. What it counts is for those alone whom
// protect lets in.
func (e *engine) addProbes(mux *http.ServeMux, protect func(http.Handler) http.Handler) {
	mux.Handle("GET /metrics", protect(e.observer.metrics.Handler()))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := e.store.Ping(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
}
