package rest

import (
	_ "embed"
	"net/http"
	"strconv"
)

// document describes the API. A test holds it to what the API does.
//
//go:embed openapi.json
var document []byte

func (h *Handler) openAPI(w http.ResponseWriter, r *http.Request) error {
	header := w.Header()
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Type", mediaJSON)
	header.Set("Content-Length", strconv.Itoa(len(document)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(document) // fails only if the client is gone
	}
	return nil
}
