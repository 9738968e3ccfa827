package resolvers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/fault"
	"ream/trail"
)

func TestPresenter(t *testing.T) {
	t.Parallel()
	path := ast.Path{ast.PathName("sync")}
	coded := func(code string) error {
		err := gqlerror.Errorf("said by a transport")
		errcode.Set(err, code)
		return err
	}
	tests := []struct {
		name                 string
		err                  error
		message, code, field string
		logged               string
	}{
		{"bad input", fault.Input("name", "it is empty"), "name: it is empty", "BAD_INPUT", "name", ""},
		{"wrapped fault", gqlerror.WrapPath(path, fmt.Errorf("sync: %w", fault.New(fault.Conflict, "taken"))), "taken", "CONFLICT", "", ""},
		{"fault with a cause", fault.Wrap(errors.New("dial: refused"), fault.Unavailable, "try again"), "try again", "UNAVAILABLE", "", "refused"},
		{"internal fault", fault.New(fault.Internal, "secret"), "internal error", "INTERNAL", "", "secret"},
		{"unknown", gqlerror.WrapPath(path, errors.New("secret")), "internal error", "INTERNAL", "", "path=sync"},
		{"panic", &panicError{value: "secret", stack: debug.Stack()}, "internal error", "INTERNAL", "", "stack="},
		{"null where none may be", gqlerror.ErrorPathf(path, "must not be null"), "internal error", "INTERNAL", "", "must not be null"},
		{"validation", coded(errcode.ValidationFailed), "said by a transport", "BAD_INPUT", "", ""},
		{"syntax", coded(errcode.ParseFailed), "said by a transport", "BAD_INPUT", "", ""},
		{"a transport's own code", coded("RATE_LIMITED"), "said by a transport", "RATE_LIMITED", "", ""},
		{"a transport without a code", gqlerror.Errorf("no query"), "no query", "BAD_INPUT", "", ""},
		{"canceled", fmt.Errorf("read: %w", context.Canceled), "the request was canceled", "UNAVAILABLE", "", ""},
		{"too late", context.DeadlineExceeded, "the request took too long: ask for less, or try again later", "UNAVAILABLE", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			got := presenter(slog.New(slog.NewTextHandler(&log, nil)))(t.Context(), tt.err)
			if got.Message != tt.message || got.Extensions["code"] != tt.code {
				t.Errorf("got %q with %v, want %q with code %s", got.Message, got.Extensions, tt.message, tt.code)
			}
			if field, _ := got.Extensions["field"].(string); field != tt.field {
				t.Errorf("field: got %q, want %q", field, tt.field)
			}
			if tt.logged == "" && log.Len() > 0 || !strings.Contains(log.String(), tt.logged) {
				t.Errorf("log: got %q, want %q in it", log.String(), tt.logged)
			}
			if tt.code == "INTERNAL" {
				if id, _ := got.Extensions["id"].(string); len(id) != 16 || !strings.Contains(log.String(), id) {
					t.Errorf("id %q: want 16 hex digits that the log has, got %q", id, log.String())
				}
			}
			if strings.Contains(got.Error(), "secret") {
				t.Errorf("the client sees %v", got)
			}
		})
	}
}

func TestStoreErrorsStayInside(t *testing.T) {
	t.Parallel()
	store := &memory{fail: errors.New("pq: password is hunter2")}
	a, log := askLogged(t, Resolver{Store: store}, `{task(id: "task-1"){id}}`, nil)
	if a.code(t) != "INTERNAL" || a.Errors[0].Message != "internal error" {
		t.Errorf("errors: got %v", a.Errors)
	}
	if !strings.Contains(log, "hunter2") || !strings.Contains(log, "path=task") {
		t.Errorf("log: got %q", log)
	}
}

// TestInternalErrorsHaveTheRequestsID so that the log's lines are found by what
// the client was told.
func TestInternalErrorsHaveTheRequestsID(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	present := presenter(slog.New(slog.NewTextHandler(&log, nil)))
	if got := present(trail.WithID(t.Context(), "mine-1"), errors.New("secret")).Extensions["id"]; got != "mine-1" {
		t.Errorf("got the id %v", got)
	}
	if !strings.Contains(log.String(), "id=mine-1") {
		t.Errorf("logged %s", log.String())
	}
	if got, _ := present(t.Context(), errors.New("secret")).Extensions["id"].(string); len(got) < 16 {
		t.Errorf("without a request: got the id %q", got)
	}
}
