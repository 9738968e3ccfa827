package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"ream/resolvers"
)

// validInputs are arguments that each mutation takes. A mutation that is not
// here fails the test: what it does with bad input is then not known.
func validInputs(l library, cert, key string) map[string]map[string]any {
	sync := map[string]any{"repositories": map[string]any{"ids": []any{l.repository}}}
	credentials := map[string]any{"username": "u", "password": "p", "proxyUrl": "http://example.org:3128", "proxyUsername": "u", "proxyPassword": "p",
		"clientCert": cert, "clientKey": key}
	return map[string]map[string]any{
		"createRemote":       {"input": with(with(credentials, "name", "x"), "url", "http://example.org/PULP_MANIFEST")},
		"updateRemote":       {"input": with(credentials, "id", l.remote)},
		"deleteRemote":       {"id": l.remote},
		"createRepository":   {"input": map[string]any{"name": "x", "format": enum("FILE")}},
		"updateRepository":   {"input": map[string]any{"id": l.repository}},
		"deleteRepository":   {"id": l.repository},
		"createDistribution": {"input": map[string]any{"path": "x", "repository": l.repository}},
		"updateDistribution": {"input": map[string]any{"id": l.distribution}},
		"deleteDistribution": {"id": l.distribution},
		"createSchedule":     {"input": map[string]any{"name": "x", "cron": "@daily", "operation": map[string]any{"sync": sync}}},
		"updateSchedule":     {"input": map[string]any{"id": "schedule-1"}},
		"deleteSchedule":     {"id": "schedule-1"},
		"fireSchedule":       {"id": "schedule-1"},
		"sync":               {"input": sync},
		"publish":            {"input": sync},
		"mirror":             {"input": sync},
		"purge":              {"input": map[string]any{"olderThanDays": 30}},
		"cleanOrphans":       {"input": map[string]any{"graceHours": 24}},
		"verifyContent":      {"input": map[string]any{"repositories": map[string]any{"names": []any{"r"}}}},
		"cancel":             {"id": "task-1"},
		"retry":              {"id": "task-1"},
		"promote":            {"input": map[string]any{"from": l.distribution, "to": l.distribution}},
		"rollback":           {"id": l.distribution},
		"probeUpstream":      {"input": map[string]any{"url": "http://example.org/", "username": "u", "password": "p"}},
		"uploadFiles":        {"input": map[string]any{"repository": l.repository, "files": []any{map[string]any{"path": "x", "upload": "upload-1"}}}},
		"modifyRepository":   {"input": map[string]any{"repository": l.repository, "remove": []any{l.unit}}},
		"copyUnits":          {"input": map[string]any{"version": l.version, "repository": l.repository}},
		"restoreVersion":     {"input": map[string]any{"version": l.version}},
		"deleteVersion":      {"input": map[string]any{"version": l.version}},
		"createToken":        {"input": map[string]any{"name": "x", "role": enum("READER")}},
		"revokeToken":        {"id": "token-1"},
	}
}

// TestEveryMutationWithEveryBadInput puts whatever is wrong into every place of
// every mutation's arguments, by variables and in the document itself. Each is
// rejected, for the right field, and changes nothing.
func TestEveryMutationWithEveryBadInput(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		l := newLibrary(t, p)
		schema := resolvers.NewSchema(resolvers.Resolver{}).Schema()
		cert, key := certificate(t)
		valid := validInputs(l, cert, key)
		before := p.settled()
		for _, mutation := range schema.Mutation.Fields {
			if strings.HasPrefix(mutation.Name, "__") {
				continue
			}
			arguments, known := valid[mutation.Name]
			if !known {
				t.Errorf("%s: there is no valid input in the table", mutation.Name)
				continue
			}
			s := spoiler{schema: schema, library: l, mutation: mutation.Name}
			for _, a := range mutation.Arguments {
				s.spoil(a.Type, place{whole: func(v any) map[string]any { return with(arguments, a.Name, v) }, path: []string{a.Name}, value: arguments[a.Name], optional: a.DefaultValue != nil})
			}
			if len(s.cases) < 5 {
				t.Errorf("%s: only %d cases", mutation.Name, len(s.cases))
			}
			for _, c := range s.cases {
				c.check(p, mutation)
			}
			if after := p.settled(); after != before {
				t.Fatalf("%s changed something:\n%s", mutation.Name, difference(before, after))
			}
		}
	})
}

// settled is everything in the database that requests alone change, a row a
// line.
func (p *program) settled() string {
	p.t.Helper()
	lines := slices.DeleteFunc(strings.Split(p.dump(), "\n"), func(line string) bool {
		table, _, _ := strings.Cut(line, " ")
		return table == "worker" || table == "queue_sample" || table == "storage_count" || table == "storage_figure" || strings.Contains(line, "audit_entry") // which has what failed, too
	})
	slices.Sort(lines)
	if len(lines) < 20 {
		p.t.Fatalf("got %q of the database only", lines)
	}
	return strings.Join(lines, "\n")
}

// difference tells the lines that only one of two texts has.
func difference(before, after string) string {
	old, young := strings.Split(before, "\n"), strings.Split(after, "\n")
	var b strings.Builder
	for _, line := range old {
		if !slices.Contains(young, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range young {
		if !slices.Contains(old, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}

// enum is a value of an enum, which documents write without quotes.
type enum string

// absent stands for a field that is left out.
type absent struct{}

// with is an object with another value of one field.
func with(object map[string]any, field string, value any) map[string]any {
	changed := maps.Clone(object)
	if changed == nil {
		changed = map[string]any{}
	}
	if _, out := value.(absent); out {
		delete(changed, field)
	} else {
		changed[field] = value
	}
	return changed
}

// place is where something stands in the arguments.
type place struct {
	whole    func(any) map[string]any // the arguments with something else there
	path     []string
	value    any  // that stands there, if any
	optional bool // it has a default
}

func (p place) inner(name string, whole func(any) map[string]any, value any) place {
	return place{whole: whole, path: append(slices.Clone(p.path), name), value: value}
}

// field is how errors name the place.
func (p place) field() string {
	path := p.path
	if len(path) > 1 && path[0] == "input" {
		path = path[1:]
	}
	return strings.Join(path, ".")
}

// badInput is a request that must be rejected.
type badInput struct {
	name      string // what is wrong
	arguments map[string]any
	code      string
	field     string
}

// instead are fields that cannot be given beside others.
var instead = map[string][]string{
	"createRemote.token":             {"username", "password"},
	"updateRemote.token":             {"username", "password"},
	"probeUpstream.token":            {"username", "password"},
	"uploadFiles.file":               {"upload"},
	"createDistribution.publication": {"repository"},
}

// spoiler makes bad input of valid input.
type spoiler struct {
	schema   *ast.Schema
	library  library
	mutation string
	cases    []badInput
}

func (s *spoiler) add(at place, what string, value any, code, field string) {
	s.cases = append(s.cases, badInput{fmt.Sprintf("%s: %s", strings.Join(at.path, "."), what), at.whole(value), code, field})
}

// wrong adds values that are not of the type.
func (s *spoiler) wrong(at place, values ...any) {
	for _, v := range values {
		s.add(at, fmt.Sprintf("%T %v for another type", v, v), v, "BAD_INPUT", at.field())
	}
}

func (s *spoiler) spoil(t *ast.Type, at place) {
	if t.NonNull {
		s.add(at, "null", nil, "BAD_INPUT", at.field())
		if !at.optional {
			s.add(at, "missing", absent{}, "BAD_INPUT", at.field())
		}
	}
	if t.Elem != nil {
		element := at
		element.whole = func(v any) map[string]any { return at.whole([]any{v}) }
		element.optional = true // one that is left out makes the list shorter
		if list, _ := at.value.([]any); len(list) > 0 {
			element.value = list[0]
		} else {
			element.value = nil
		}
		s.spoil(t.Elem, element)
		return
	}
	switch definition := s.schema.Types[t.NamedType]; definition.Kind {
	case ast.InputObject:
		s.object(definition, at)
	case ast.Enum:
		s.wrong(at, enum("NOPE"), enum(strings.ToLower(definition.EnumValues[0].Name)), 1, true, map[string]any{})
	default:
		s.scalar(t.NamedType, at)
	}
}

func (s *spoiler) object(definition *ast.Definition, at place) {
	value, _ := at.value.(map[string]any)
	if value == nil {
		value = s.example(definition.Name)
	}
	s.wrong(at, "text", 7, true)
	s.add(at.inner("bogus", at.whole, nil), "no such field", with(value, "bogus", 1), "BAD_INPUT", at.inner("bogus", nil, nil).field())
	isOneOf := definition.Directives.ForName("oneOf") != nil
	if isOneOf {
		s.add(at, "nothing of one", map[string]any{}, "BAD_INPUT", at.field())
		s.add(at, "two of one", map[string]any{definition.Fields[0].Name: s.exampleOf(definition.Fields[0].Type), definition.Fields[1].Name: s.exampleOf(definition.Fields[1].Type)}, "BAD_INPUT", at.field())
	}
	for _, f := range definition.Fields {
		rest := value
		for _, other := range instead[s.mutation+"."+f.Name] {
			rest = with(rest, other, absent{})
		}
		inner := at.inner(f.Name, func(v any) map[string]any { return at.whole(with(rest, f.Name, v)) }, value[f.Name])
		inner.optional = f.DefaultValue != nil
		if isOneOf {
			inner.value = s.exampleOf(f.Type)
			inner.whole = func(v any) map[string]any { return at.whole(with(nil, f.Name, v)) }
		}
		s.spoil(f.Type, inner)
	}
}

func (s *spoiler) scalar(name string, at place) {
	list := []any{[]any{"a"}}
	if at.isElement() {
		list = nil // a list of one may stand for it
	}
	switch name {
	case "Int":
		s.wrong(at, append(list, "x", "7", 1.5, true, 3_000_000_000, map[string]any{})...)
		s.add(at, "less than anything that counts", -1, "BAD_INPUT", at.field())
	case "Int64":
		s.wrong(at, append(list, "x", 1.5, true, map[string]any{})...)
		s.add(at, "less than anything that counts", -1, "BAD_INPUT", at.field())
	case "Boolean":
		s.wrong(at, append(list, "true", 1, map[string]any{})...)
	case "ID":
		s.wrong(at, append(list, 1.5, true, map[string]any{})...)
		s.id(at)
	case "Time":
		s.wrong(at, append(list, "tomorrow", 7, 1.5, true, map[string]any{})...)
		s.add(at, "long past", "2000-01-01T00:00:00Z", "BAD_INPUT", at.field())
	case "Upload":
		s.wrong(at, append(list, "x", 7, true, map[string]any{})...)
	case "SHA256":
		s.wrong(at, append(list, "x", strings.Repeat("A", 65), 7, 1.5, true, map[string]any{})...)
	case "String", "Secret":
		s.wrong(at, append(list, 7, 1.5, true, map[string]any{})...)
		s.add(at, "too long", strings.Repeat("long", 2500), "BAD_INPUT", at.field())
		s.add(at, "a NUL", "a\x00b", "BAD_INPUT", at.field())
	default:
		panic("what is wrong with a " + name + "? Say it here.")
	}
}

// isElement reports whether the place is in a list.
func (p place) isElement() bool {
	const mark = "mark"
	text, err := json.Marshal(p.whole(mark))
	return err == nil && strings.Contains(string(text), `["`+mark+`"]`)
}

// id adds ids of what there is not, and of something else.
func (s *spoiler) id(at place) {
	code, field, other := "BAD_INPUT", at.field(), "worker-1"
	if at.path[len(at.path)-1] == "id" { // it names what the mutation is about
		code, field = "NOT_FOUND", ""
	}
	noun := "task"
	if id, ok := at.value.(string); ok {
		noun, _, _ = strings.Cut(id, "-")
	} else if at.path[len(at.path)-1] != "id" {
		noun = at.path[len(at.path)-1]
	}
	for what, id := range map[string]string{
		"an id of nothing": noun + "-999999", "no id": "nonsense", "an empty id": "", "another noun's id": other,
		"a number without its noun": "1", "too large a number": noun + "-99999999999999999999", "a negative number": noun + "--1", "a long id": strings.Repeat("x", 5000),
	} {
		s.add(at, what, id, code, field)
	}
}

// example is a valid value of an input type.
func (s *spoiler) example(name string) map[string]any {
	examples := map[string]map[string]any{
		"RepositorySelector":      {"names": []any{"r"}},
		"UploadedFileInput":       {"path": "x", "upload": "upload-1"},
		"LabelInput":              {"key": "a", "value": "b"},
		"HeaderInput":             {"name": "a", "value": "b"},
		"SyncInput":               {"repositories": map[string]any{"names": []any{"r"}}},
		"PublishInput":            {"repositories": map[string]any{"names": []any{"r"}}},
		"MirrorInput":             {"repositories": map[string]any{"names": []any{"r"}}},
		"PurgeInput":              {"olderThanDays": 30},
		"CleanOrphansInput":       {"graceHours": 24},
		"VerifyContentInput":      {"priority": enum("LOW")},
		"ScheduledOperationInput": {"purge": map[string]any{"olderThanDays": 30}},
	}
	value, known := examples[name]
	if !known {
		panic("there is no example of a " + name)
	}
	return value
}

func (s *spoiler) exampleOf(t *ast.Type) any {
	if t.Elem != nil {
		return []any{s.exampleOf(t.Elem)}
	}
	switch t.NamedType {
	case "String":
		return "a"
	case "ID":
		return s.library.repository
	case "Boolean":
		return true
	}
	return s.example(t.NamedType)
}

// check sends the request twice, with variables and without.
func (c badInput) check(p *program, mutation *ast.FieldDefinition) {
	p.t.Helper()
	var declared, passed, literals []string
	for _, a := range mutation.Arguments {
		declared = append(declared, "$"+a.Name+": "+a.Type.String())
		passed = append(passed, a.Name+": $"+a.Name)
		if value, given := c.arguments[a.Name]; given {
			literals = append(literals, a.Name+": "+literal(value))
		}
	}
	selection := " { __typename }"
	byVariable := fmt.Sprintf("mutation(%s) { %s(%s)%s }", strings.Join(declared, ", "), mutation.Name, strings.Join(passed, ", "), selection)
	arguments := ""
	if len(literals) > 0 {
		arguments = "(" + strings.Join(literals, ", ") + ")"
	}
	inPlace := fmt.Sprintf("mutation { %s%s%s }", mutation.Name, arguments, selection)
	for way, request := range map[string]func() []gqlError{
		"by variables":    func() []gqlError { _, errs := ask[any](p, byVariable, c.arguments); return errs },
		"in the document": func() []gqlError { _, errs := ask[any](p, inPlace, nil); return errs },
	} {
		errs := request()
		i := slices.IndexFunc(errs, func(e gqlError) bool {
			return e.Extensions.Code == c.code && (e.Extensions.Field == c.field || isPartOf(c.field, e.Extensions.Field))
		})
		if i < 0 {
			p.t.Errorf("%s %s: %s: got %.300s, want %s in %q", mutation.Name, way, c.name, fmt.Sprintf("%+v", errs), c.code, c.field)
			continue
		}
		if m := errs[i].Message; len(m) < 10 || len(m) > 500 || strings.Contains(m, "internal") {
			p.t.Errorf("%s %s: %s: got %q, want words that help", mutation.Name, way, c.name, m)
		}
	}
}

// isPartOf reports whether a field is one of the items of a list, of which errors
// say themselves which item it is.
func isPartOf(field, list string) bool {
	return (list == "labels" || list == "headers" || list == "files") && strings.HasPrefix(field, list+".")
}

// literal writes a value as documents have it.
func literal(value any) string {
	switch v := value.(type) {
	case enum:
		return string(v)
	case map[string]any:
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fields = append(fields, name+": "+literal(v[name]))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		var items []string
		for _, item := range v {
			if _, out := item.(absent); !out {
				items = append(items, literal(item))
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestConflictsAndSchedulesNameWhatIsWrong asks for what contradicts what there
// is, while a sync of "busy" is under way.
func TestConflictsAndSchedulesNameWhatIsWrong(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		l := newLibrary(t, p)
		up := newUpstream(t, someFiles(2))
		reached, _ := up.hold("PULP_MANIFEST")
		busy := p.repository("busy", up.URL+"/PULP_MANIFEST")
		running := p.queueSync("busy", true)
		<-reached
		none := p.noRemote("none")
		schedule := func(fields string) string {
			return `mutation { createSchedule(input: {name: "s", cron: "@daily", operation: {purge: {olderThanDays: 1}}, ` + fields + `}) { id } }`
		}
		change := func(fields string) string {
			return `mutation { updateSchedule(input: {id: "schedule-1", ` + fields + `}) { id } }`
		}
		work := func(call string) string { return `mutation { ` + call + ` { ... on Work { id } } }` }
		once := `sync(input: {repositories: {names: ["r"]}, idempotencyKey: "once", mirror: `
		p.follow(query[struct{ Sync struct{ ID string } }](p, work(once+"true})"), nil).Sync.ID)
		query[any](p, `mutation($r: ID!) { createDistribution(input: {path: "a/b", repository: $r}) { id } }`, map[string]any{"r": l.repository})
		tests := []struct{ name, document, code, field, message string }{
			{"schedule of a taken name", `mutation { createSchedule(input: {name: "purge history", cron: "@daily", operation: {purge: {olderThanDays: 1}}}) { id } }`, "CONFLICT", "", `there is already a schedule named "purge history"`},
			{"no cron", change(`cron: "often"`), "BAD_INPUT", "cron", ""},
			{"cron with a second", change(`cron: "0 0 0 * * *"`), "BAD_INPUT", "cron", ""},
			{"a day that never comes", change(`cron: "0 0 30 2 *"`), "BAD_INPUT", "cron", "there is no such day"},
			{"no time zone", schedule(`timeZone: "Mars/Olympus"`), "BAD_INPUT", "timeZone", "want a name such as Europe/Berlin"},
			{"purge of the future", change(`operation: {purge: {olderThanDays: 40000}}`), "BAD_INPUT", "operation.purge.olderThanDays", "want 0 to 36525"},
			{"sync of an unknown repository", change(`operation: {sync: {repositories: {names: ["x"]}}}`), "BAD_INPUT", "operation.sync.repositories.names", `there is no repository "x"`},
			{"sync of an empty selector", change(`operation: {sync: {repositories: {labels: ""}}}`), "BAD_INPUT", "operation.sync.repositories.labels", "use all"},
			{"sync of a bad selector", change(`operation: {sync: {repositories: {labels: "a b"}}}`), "BAD_INPUT", "operation.sync.repositories.labels", "write key=value"},
			{"publication of a version of several", change(`operation: {publish: {repositories: {all: true}, version: 1}}`), "BAD_INPUT", "operation.publish.version", "only with one repository"},
			{"a key for each firing", change(`operation: {sync: {repositories: {all: true}, idempotencyKey: "k"}}`), "BAD_INPUT", "operation.sync.idempotencyKey", "leave it out"},
			{"no members at once", change(`operation: {sync: {repositories: {all: true}, maxRunning: 0}}`), "BAD_INPUT", "operation.sync.maxRunning", "want 1 or more"},

			{"retry of work that runs", work(`retry(id: "` + running + `")`), "CONFLICT", "", "is not finished yet: cancel it first, or wait"},
			{"retry of a task that completed", work(`retry(id: "task-1")`), "CONFLICT", "", "completed: there is nothing to do again"},
			{"retry of a group that completed", work(`retry(id: "group-1")`), "CONFLICT", "", "there is nothing to do again"},
			{"a busy repository deleted", `mutation { deleteRepository(id: "` + busy + `") { id } }`, "CONFLICT", "", "wait for it or cancel it"},
			{"the same key for something else", work(once + "false})"), "CONFLICT", "", "use a new one"},
			{"sync without a remote", work(`sync(input: {repositories: {ids: ["` + none + `"]}})`), "BAD_INPUT", "repositories", "give it one"},
			{"publication without a version", work(`publish(input: {repositories: {ids: ["` + none + `"]}})`), "BAD_INPUT", "repositories", "sync it first"},
			{"a distribution above another", `mutation { createDistribution(input: {path: "a", repository: "` + l.repository + `"}) { id } }`, "CONFLICT", "", "lies above"},
		}
		for _, tt := range tests {
			before := p.settled()
			_, errs := ask[any](p, tt.document, nil)
			if len(errs) != 1 || errs[0].Extensions.Code != tt.code || errs[0].Extensions.Field != tt.field || !strings.Contains(errs[0].Message, tt.message) {
				t.Errorf("%s: got %+v, want %s in %q: %s", tt.name, errs, tt.code, tt.field, tt.message)
			}
			if after := p.settled(); after != before {
				t.Errorf("%s: something changed:\n%s", tt.name, difference(before, after))
			}
		}
	})
}
