package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ream/fault"
)

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	if err := contract(t).Document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestDocumentSaysAllOnce looks for names that are given twice in an object, of
// which readers take one or the other.
func TestDocumentSaysAllOnce(t *testing.T) {
	t.Parallel()
	d := json.NewDecoder(bytes.NewReader(document))
	var read func(at string)
	read = func(at string) {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if token != json.Delim('{') && token != json.Delim('[') {
			return
		}
		names := map[any]bool{}
		for i := 0; d.More(); i++ {
			var name any = i
			if token == json.Delim('{') {
				if name, err = d.Token(); err != nil {
					t.Fatal(err)
				}
			}
			if names[name] {
				t.Errorf("%s/%v is there twice", at, name)
			}
			names[name] = true
			read(fmt.Sprint(at, "/", name))
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
	read("")
}

// TestDocumentNamesEveryRoute keeps the document to the handlers: each has its
// path there, with its method and the media types of its answers.
func TestDocumentNamesEveryRoute(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	paths := contract(t).Document.Paths.Map()
	for path := range paths {
		documented[path] = true
	}
	for _, r := range New(&stub{}, &stub{}, &stub{}, Options{}).routes() {
		if !documented[r.pattern] {
			t.Errorf("%s is not documented", r.pattern)
			continue
		}
		delete(documented, r.pattern)
		operations := paths[r.pattern].Operations()
		operation := operations[r.method]
		if len(operations) != 1 || operation == nil {
			t.Errorf("%s: got %d methods, want only %s", r.pattern, len(operations), r.method)
			continue
		}
		for _, status := range []string{"200", "202"} {
			response := operation.Responses.Value(status)
			if response == nil {
				if status == "200" || r.method == "POST" && !atOnce[strings.TrimPrefix(r.pattern, Prefix)] {
					t.Errorf("%s: there is no answer %s", r.pattern, status)
				}
				continue
			}
			for _, media := range r.produces {
				if response.Value.Content[media] == nil {
					t.Errorf("%s, %s: %s is not documented", r.pattern, status, media)
				}
			}
			if got, want := len(response.Value.Content), len(r.produces); got != want {
				t.Errorf("%s, %s: got %d media types, want %d", r.pattern, status, got, want)
			}
		}
	}
	for path := range documented {
		t.Errorf("%s is documented, but is not there", path)
	}
}

// TestDocumentNamesEveryFault keeps the document to the kinds of faults.
func TestDocumentNamesEveryFault(t *testing.T) {
	t.Parallel()
	schema := contract(t).Document.Components.Schemas["Problem"].Value.Properties["code"].Value
	var codes []string
	for _, code := range schema.Enum {
		codes = append(codes, code.(string))
	}
	for kind, known := range kinds {
		if !slices.Contains(codes, string(kind)) {
			t.Errorf("the code %s is not documented", kind)
		}
		if known.status < 400 || !strings.HasSuffix(known.remedy, ".") {
			t.Errorf("%s: got %d and the remedy %q", kind, known.status, known.remedy)
		}
	}
	if len(codes) != len(kinds) {
		t.Errorf("got %d codes, want %d", len(codes), len(kinds))
	}
	for _, kind := range []fault.Kind{fault.BadInput, fault.NotFound, fault.Conflict, fault.Unauthenticated, fault.Forbidden,
		fault.TooComplex, fault.RateLimited, fault.Unavailable, fault.Internal} {
		if _, ok := kinds[kind]; !ok {
			t.Errorf("%s has no status", kind)
		}
	}
}
