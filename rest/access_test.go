package rest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"ream/access"
	"ream/resolvers"
	"ream/task"
)

// TestRoles asks for every route as everybody. Operations need what the
// mutations of their names need, and are recorded like them.
func TestRoles(t *testing.T) {
	t.Parallel()
	mutations := resolvers.NewSchema(resolvers.Resolver{}).Schema().Mutation
	const id = `{"id": "task-12"}`
	nothing := &stub{}
	for _, r := range New(nothing, nothing, nothing, Options{}).routes() {
		name := r.pattern[strings.LastIndexByte(r.pattern, '/')+1:]
		path := strings.ReplaceAll(strings.Replace(r.pattern, "task-groups/{id}", "task-groups/group-7", 1), "{id}", "task-12")
		for _, role := range []access.Role{access.Reader, access.Operator, access.Admin, "STRANGER"} {
			for _, limit := range []access.Limit{"", "env=prod"} {
				s := &stub{task: aTask(task.Waiting), group: aGroup(3, 1), role: role, limit: limit}
				asked, body := path, ""
				if name == "diff" {
					asked += "?from=version-1&to=version-2"
				}
				needs, limited := access.Reader, true
				if r.method == http.MethodPost {
					body = map[string]string{"sync": all, "publish": all, "mirror": all, "purge": `{"olderThanDays": 1}`, "cancel": id, "retry": id,
						"cleanOrphans": `{"graceHours": 1}`, "verifyContent": all,
						"uploadFiles":      `{"files": [{"path": "a", "upload": "upload-1"}], "repository": "repository-1"}`,
						"modifyRepository": `{"repository": "repository-1"}`, "copyUnits": `{"repository": "repository-1", "version": "version-1"}`,
						"restoreVersion": `{"version": "version-1"}`, "deleteVersion": `{"version": "version-1"}`,
						"promote": `{"from": "distribution-1", "to": "distribution-2"}`, "rollback": `{"id": "distribution-1"}`}[name]
					needs, limited = needed(t, mutations.Fields.ForName(name))
				}
				want := http.StatusForbidden
				if (access.Principal{Role: role, Limit: limit}).Check(needs, limited, "") == nil {
					want = map[bool]int{true: http.StatusAccepted, false: http.StatusOK}[r.method == http.MethodPost && !atOnce[name]]
				}
				if got := serve(t, s, Options{}).send(t, r.method, asked, body); got.status != want {
					t.Errorf("%s %s as %s %q: got %d %s, want %d", r.method, path, role, limit, got.status, got.body, want)
				}
				var recorded []string
				if r.method == http.MethodPost {
					code := map[bool]string{true: "FORBIDDEN", false: access.Done}[want == http.StatusForbidden]
					recorded = []string{name + " " + strings.NewReplacer(": ", ":", ", ", ",").Replace(body) + " " + code}
				}
				if !slices.Equal(s.recorded, recorded) {
					t.Errorf("%s %s as %s %q: recorded %q, want %q", r.method, path, role, limit, s.recorded, recorded)
				}
			}
		}
	}
}

// atOnce are the operations that are done when they are answered.
var atOnce = map[string]bool{"promote": true, "rollback": true}

// needed is what the schema says of a mutation.
func needed(t *testing.T, f *ast.FieldDefinition) (access.Role, bool) {
	t.Helper()
	d := f.Directives.ForName("role")
	if d == nil {
		t.Fatalf("%s does not say who may ask for it", f.Name)
	}
	arguments := d.ArgumentMap(nil)
	limited, _ := arguments["limited"].(bool)
	return access.Role(arguments["needs"].(string)), limited
}
