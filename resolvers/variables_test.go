package resolvers

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestVariables gives variables values that are not of their types.
func TestVariables(t *testing.T) {
	t.Parallel()
	const (
		tasks      = `query($n: Int, $f: TaskFilter, $a: String){tasks(first: $n, filter: $f, after: $a){pageInfo{endCursor}}}`
		filter     = `query($states: [TaskState!], $finished: Boolean){tasks(filter: {states: $states, finished: $finished}){pageInfo{endCursor}}}`
		node       = `query($id: ID!){task(id: $id){id}}`
		nodes      = `query($ids: [ID!]!){nodes(ids: $ids){id}}`
		newRemote  = `mutation($input: CreateRemoteInput!){createRemote(input: $input){id}}`
		repository = `mutation($labels: [LabelInput!]!){createRepository(input: {name: "a", format: FILE, labels: $labels}){id}}`
		sync       = `mutation($s: RepositorySelector!){sync(input: {repositories: $s}){__typename}}`
		schedule   = `mutation($o: ScheduledOperationInput!){createSchedule(input: {name: "a", cron: "@daily", operation: $o}){id}}`
	)
	tests := []struct {
		name, query, variables string
		field, message         string // of the error; empty for none
	}{
		{"well", tasks, `{"n": 3, "f": {"states": ["WAITING"], "finished": null, "kind": "a"}, "a": null}`, "", ""},
		{"one for a list", filter, `{"states": "WAITING"}`, "", ""},
		{"one id for a list", nodes, `{"ids": "task-1"}`, "", ""},
		{"a number as id", node, `{"id": 7}`, "", ""},
		{"text for a number", tasks, `{"n": "3"}`, "first", "variable $n: want a whole number of 32 bits"},
		{"a part of a number", tasks, `{"n": 1.5}`, "first", "variable $n: "},
		{"a number too large", tasks, `{"n": 3000000000}`, "first", "variable $n: want a whole number of 32 bits"},
		{"a number for text", tasks, `{"a": 3}`, "after", "variable $a: want a string"},
		{"a number for text within", tasks, `{"f": {"kind": 3}}`, "filter.kind", "variable $f.kind: want a string"},
		{"a list for a number", tasks, `{"n": [3]}`, "first", "variable $n: "},
		{"a value in another case", filter, `{"states": ["WAITING", "running"]}`, "filter.states", "variable $states[1]: want one of WAITING, RUNNING"},
		{"no such value", filter, `{"states": ["GONE"]}`, "filter.states", "variable $states[0]: GONE is not a valid TaskState"},
		{"a number as value", filter, `{"states": [1]}`, "filter.states", "variable $states[0]: "},
		{"text for a truth", filter, `{"finished": "true"}`, "filter.finished", "variable $finished: "},
		{"null in a list", filter, `{"states": [null]}`, "filter.states", "variable $states[0]: cannot be null"},
		{"no object", tasks, `{"f": "x"}`, "filter", "variable $f: "},
		{"an object for text", node, `{"id": {}}`, "id", "variable $id: "},
		{"a part of a number as id", node, `{"id": 1.5}`, "id", "variable $id: "},
		{"missing", node, `{}`, "id", "variable $id: must be defined"},
		{"null", node, `{"id": null}`, "id", "variable $id: cannot be null"},
		{"missing within", newRemote, `{"input": {"url": "http://u/m"}}`, "name", "variable $input.name: must be defined"},
		{"null within", newRemote, `{"input": {"name": null, "url": "http://u/m"}}`, "name", "variable $input.name: cannot be null"},
		{"unknown within", newRemote, `{"input": {"name": "a", "url": "http://u/m", "size": 1}}`, "size", "variable $input.size: unknown field"},
		{"text for a number within", newRemote, `{"input": {"name": "a", "url": "http://u/m", "connections": "3"}}`, "connections", "variable $input.connections: want a whole number"},
		{"in an object of a list", repository, `{"labels": [{"key": "a", "value": "b"}, {"key": 1, "value": "b"}]}`, "labels.key", "variable $labels[1].key: want a string"},
		{"a NUL in text", tasks, `{"a": "\u0000"}`, "after", "variable $a: it holds a NUL character"},
		{"a NUL in an id", node, `{"id": "task-1\u0000"}`, "id", "variable $id: it holds a NUL character"},
		{"a number for a secret", newRemote, `{"input": {"name": "a", "url": "u", "token": 7}}`, "token", "variable $input.token: want a string"},
		{"a part of 64 bits", newRemote, `{"input": {"name": "a", "url": "u", "bytesPerSecond": 1.5}}`, "bytesPerSecond", "variable $input.bytesPerSecond: want a whole number of 64 bits"},
		{"two of one", sync, `{"s": {"all": true, "labels": "a"}}`, "repositories", "variable $s: want exactly one of ids, names, labels and all, and not null"},
		{"one of one, and null", sync, `{"s": {"all": true, "labels": null}}`, "repositories", "variable $s: want exactly one of"},
		{"null for one", sync, `{"s": {"all": null}}`, "repositories", "variable $s: want exactly one of"},
		{"none of one", sync, `{"s": {}}`, "repositories", "variable $s: want exactly one of"},
		{"two of one within", schedule, `{"o": {"sync": {"repositories": {"all": true, "labels": "a"}}}}`, "operation.sync.repositories", "variable $o.sync.repositories: want exactly one of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var variables map[string]any
			if err := json.Unmarshal([]byte(tt.variables), &variables); err != nil {
				t.Fatal(err)
			}
			a := ask(t, Resolver{Store: &memory{}, Catalog: &requests{}}, tt.query, variables)
			if tt.field == "" {
				if len(a.Errors) > 0 {
					t.Errorf("got %v, want no error", a.Errors)
				}
				return
			}
			if a.code(t) != "BAD_INPUT" || a.Errors[0].Extensions["field"] != tt.field || !strings.HasPrefix(strings.TrimPrefix(a.Errors[0].Message, tt.field+": "), tt.message) {
				t.Errorf("got %v, want bad input in %s: %s", a.Errors, tt.field, tt.message)
			}
		})
	}
}

// TestBlame finds the field that is wrong in the document itself.
func TestBlame(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, query, field, message string }{
		{"no string", `mutation{createRemote(input: {name: 3, url: "u"}){id}}`, "name", "String cannot represent"},
		{"no number", `mutation{createRemote(input: {name: "a", url: "u", connections: "x"}){id}}`, "connections", "Int cannot represent"},
		{"missing", `mutation{createRemote(input: {name: "a"}){id}}`, "url", `"CreateRemoteInput.url" of required type`},
		{"null", `mutation{createRemote(input: {name: null, url: "u"}){id}}`, "name", "found null"},
		{"unknown", `mutation{createRemote(input: {name: "a", url: "u", size: 1}){id}}`, "size", `"size" is not defined`},
		{"unknown value", `mutation{createRemote(input: {name: "a", url: "u", policy: SOMETIMES}){id}}`, "policy", "SOMETIMES"},
		{"no argument", `mutation{createRemote{id}}`, "input", `argument "input"`},
		{"an unknown argument", `{task(id: "task-1", name: "a"){id}}`, "query", `Unknown argument "name"`},
		{"null argument", `{task(id: null){id}}`, "id", "found null"},
		{"deep", `mutation{createSchedule(input: {name: "a", cron: "c", operation: {sync: {repositories: {ids: [true]}}}}){id}}`, "operation.sync.repositories.ids", "ID cannot represent"},
		{"two of one", `mutation{sync(input: {repositories: {all: true, labels: "a"}}){__typename}}`, "repositories", "exactly one key"},
		{"none of one", `mutation{sync(input: {repositories: {}}){__typename}}`, "repositories", "exactly one key"},
		{"null for one", `mutation{sync(input: {repositories: {all: null}}){__typename}}`, "repositories.all", "must be non-null"},
		{"in an inline fragment", `{... on Query {task(id: 1.5){id}}}`, "id", "ID cannot represent"},
		{"too large", `{tasks(first: 3000000000){totalCount}}`, "first", "3000000000"},
		{"an object for text", `mutation{createRemote(input: {name: {}, url: "u"}){id}}`, "name", "String: want a string"},
		{"an object for a number", `{tasks(first: {}){totalCount}}`, "first", "Int: want a whole number"},
		{"an object for a value", `mutation{createRemote(input: {name: "a", url: "u", policy: {}}){id}}`, "policy", "Policy: want one of its values"},
		{"a NUL", `{task(id: "\u0000"){id}}`, "id", "ID: it holds a NUL"},
		{"a NUL in a list", `{nodes(ids: ["a", "\u0000"]){id}}`, "ids", "ID: it holds a NUL"},
		{"a number for a secret", `mutation{createRemote(input: {name: "a", url: "u", token: 7}){id}}`, "token", "Secret: want a string"},
		{"a word for a secret", `mutation{createRemote(input: {name: "a", url: "u", token: SECRET}){id}}`, "token", "Secret: want a string"},
		{"a list for 64 bits", `mutation{createRemote(input: {name: "a", url: "u", bytesPerSecond: [1]}){id}}`, "bytesPerSecond", "Int64: want a whole number of 64 bits"},
		{"no field", `{tusk{id}}`, "query", "tusk"},
		{"no operation", `fragment F on Query {__typename}`, "query", "no operation"},
		{"which operation", `query a{__typename} query b{__typename}`, "operationName", "name one of them"},
		{"an alias like a variable", `{variable: tasks(first: 3000000000){totalCount}}`, "first", "3000000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, Resolver{Store: &memory{}, Catalog: &requests{}}, tt.query, nil)
			if a.code(t) != "BAD_INPUT" || a.Errors[0].Extensions["field"] != tt.field || !strings.Contains(a.Errors[0].Message, tt.message) {
				t.Errorf("got %v, want bad input in %s: %s", a.Errors, tt.field, tt.message)
			}
		})
	}
}

func TestBlameOfSeveral(t *testing.T) {
	t.Parallel()
	a := ask(t, Resolver{Store: &memory{}}, `mutation{createRemote(input: {}){id} createRepository(input: {name: 1, format: X}){id}}`, nil)
	var fields []string
	for _, e := range a.Errors {
		field, _ := e.Extensions["field"].(string)
		fields = append(fields, field)
	}
	if got := strings.Join(fields, " "); got != "name url name format" {
		t.Errorf("got %s with %v", got, a.Errors)
	}
}
