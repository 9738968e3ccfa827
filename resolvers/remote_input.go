package resolvers

import (
	"time"

	"ream/catalog"
	"ream/graph"
)

func headers(in []*graph.HeaderInput) []catalog.Header {
	out := make([]catalog.Header, len(in))
	for i, h := range in {
		out[i] = catalog.Header{Name: h.Name, Value: h.Value}
	}
	return out
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// optionalSeconds is nil if the field is left out.
func optionalSeconds(n *int32) *time.Duration {
	if n == nil {
		return nil
	}
	return new(seconds(*n))
}
