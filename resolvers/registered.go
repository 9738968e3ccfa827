package resolvers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// Documents are those that clients may name by their hash from the start on.
type Documents struct{ texts map[string]string } // by hash, or by what a manifest calls them

// text is a document by its hash. No Documents have none.
func (d *Documents) text(hash string) (string, bool) {
	if d == nil {
		return "", false
	}
	text, ok := d.texts[hash]
	return text, ok
}

// Len is how many documents there are.
func (d *Documents) Len() int {
	different := map[string]bool{}
	for _, text := range d.texts {
		different[text] = true
	}
	return len(different)
}

// ReadDocuments reads manifests: JSON as the tools of Apollo and genqlient write
// it, {"operations": [{"id": …, "body": …}]}, or {id: document}, as those of Relay
// and GraphQL Code Generator do. Each document can be named by its SHA-256, and by
// its id. It is an error if one of them would never be answered, since it does not
// fit the schema or the limits.
func ReadDocuments(l Limits, manifests ...[]byte) (*Documents, error) {
	d := &Documents{map[string]string{}}
	schema := NewSchema(Resolver{}).Schema()
	for _, manifest := range manifests {
		registered, err := readManifest(manifest)
		if err != nil {
			return nil, err
		}
		for id, text := range registered {
			if err := l.checkRegistered(schema, text); err != nil {
				return nil, fmt.Errorf("document %s: %w", id, err)
			}
			d.texts[id], d.texts[hashOf(text)] = text, text
		}
	}
	return d, nil
}

// readManifest reads the documents of a manifest by their ids.
func readManifest(manifest []byte) (map[string]string, error) {
	var byID map[string]string
	if json.Unmarshal(manifest, &byID) == nil && byID != nil {
		return byID, nil
	}
	var list struct {
		Operations []struct{ ID, Body, Query string }
	}
	if json.Unmarshal(manifest, &list) != nil || list.Operations == nil {
		return nil, errors.New(`want JSON, either {"operations": [{"id": "…", "body": "query …"}]} or {"id": "query …"}`)
	}
	byID = map[string]string{}
	for _, o := range list.Operations {
		text := cmp.Or(o.Body, o.Query)
		byID[cmp.Or(o.ID, hashOf(text))] = text
	}
	return byID, nil
}

// checkRegistered rejects a document that would never be answered.
func (l *Limits) checkRegistered(schema *ast.Schema, text string) error {
	if err := l.checkDocument(text); err != nil {
		return err
	}
	document, invalid := gqlparser.LoadQueryWithRules(schema, text, nil)
	if invalid != nil {
		return invalid
	}
	for _, operation := range document.Operations {
		if err := l.checkOperation(operation, nil); err != nil {
			return fmt.Errorf("operation %s: %w", operation.Name, err)
		}
	}
	return nil
}
