package access_test

import (
	"testing"

	"ream/access"
	"ream/fault"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	order := []access.Role{access.Reader, access.Operator, access.Admin}
	for i, a := range order {
		for j, b := range order {
			if got, want := a.Includes(b), i >= j; got != want {
				t.Errorf("%s includes %s: got %t, want %t", a, b, got, want)
			}
		}
		for _, none := range []access.Role{"", "OWNER", "admin"} {
			if a.Includes(none) || none.Includes(a) || none.Includes(none) {
				t.Errorf("%q is no role, but compares with %s", none, a)
			}
		}
		if got, err := access.ParseRole(string(a)); got != a || err != nil {
			t.Errorf("%s: got %s, %v", a, got, err)
		}
	}
	if got, err := access.ParseRole("operator"); got != access.Operator || err != nil {
		t.Errorf("in lower case: got %s, %v", got, err)
	}
	if _, err := access.ParseRole("owner"); !fault.Is(err, fault.BadInput) {
		t.Errorf("no role: got %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		role    access.Role
		limit   access.Limit
		needs   access.Role
		limited bool
		want    string // the message; empty if it is allowed
	}{
		{"enough", access.Admin, "", access.Operator, false, ""},
		{"just enough", access.Reader, "", access.Reader, false, ""},
		{"too little", access.Reader, "", access.Operator, true, "sync needs the role OPERATOR: you have READER"},
		{"nothing", "", "", access.Reader, true, "sync needs the role READER: you have none"},
		{"nothing is known of it", access.Admin, "", "", true, "sync needs the role : you have ADMIN"},
		{"limited, where that will do", access.Operator, "env=prod", access.Operator, true, ""},
		{"limited", access.Operator, "env=prod", access.Operator, false, `sync needs the role OPERATOR without a limit to some repositories: your token is limited to "env=prod"`},
	}
	for _, tt := range tests {
		err := access.Principal{Role: tt.role, Limit: tt.limit}.Check(tt.needs, tt.limited, "sync")
		if tt.want == "" && err != nil || tt.want != "" && (!fault.Is(err, fault.Forbidden) || fault.Message(err) != tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCallerOfNothing(t *testing.T) {
	t.Parallel()
	if c := access.CallerOf(t.Context()); c.Role != "" || c.Kind != "" {
		t.Errorf("got %+v, want nobody", c)
	}
}
