package web

import (
	"bytes"
	"compress/gzip"
	"html/template"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// chapter is one kind of things in the reference of the API.
type chapter struct {
	Title, About string
	Types        []*ast.Definition
}

// chapters are all of a schema but introspection, in the order in which people
// need it.
func chapters(s *ast.Schema) []chapter {
	all := []chapter{
		{"Queries", "What can be asked.", []*ast.Definition{s.Query}},
		{"Mutations", "What can be done.", []*ast.Definition{s.Mutation}},
		{"Subscriptions", "What can be followed.", []*ast.Definition{s.Subscription}},
	}
	for _, c := range []struct {
		title, about string
		kind         ast.DefinitionKind
	}{
		{"Objects", "What answers are made of.", ast.Object},
		{"Interfaces", "What several objects have in common.", ast.Interface},
		{"Unions", "One of several objects.", ast.Union},
		{"Inputs", "What questions and orders are made of.", ast.InputObject},
		{"Enums", "One of several words.", ast.Enum},
		{"Scalars", "Single values.", ast.Scalar},
	} {
		var types []*ast.Definition
		for _, d := range s.Types {
			if d.Kind == c.kind && !strings.HasPrefix(d.Name, "__") && d != s.Query && d != s.Mutation && d != s.Subscription {
				types = append(types, d)
			}
		}
		slices.SortFunc(types, func(a, b *ast.Definition) int { return strings.Compare(a.Name, b.Name) })
		all = append(all, chapter{c.title, c.about, types})
	}
	return all
}

// reference renders the page that tells everything of a schema.
func (a assets) reference(s *ast.Schema) *asset {
	page := a.page("reference.html", plainPolicy, view{Chapters: chapters(s)})
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(page.body)
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic("web: " + err.Error())
	}
	page.body, page.zipped = zipped.Bytes(), true
	return page
}

// own are the fields of a type, without introspection.
func own(fields ast.FieldList) (all ast.FieldList) {
	for _, f := range fields {
		if !strings.HasPrefix(f.Name, "__") {
			all = append(all, f)
		}
	}
	return all
}

// deprecated is why something should not be used any more; empty if it should.
func deprecated(all ast.DirectiveList) string {
	d := all.ForName("deprecated")
	if d == nil {
		return ""
	}
	if reason := d.Arguments.ForName("reason"); reason != nil {
		return reason.Value.Raw
	}
	return "No longer supported"
}

// prose is a description, in which `code` is shown as such.
func prose(description string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(description, "`") {
		if i%2 == 1 {
			b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
		} else {
			b.WriteString(template.HTMLEscapeString(part))
		}
	}
	return template.HTML(b.String())
}
