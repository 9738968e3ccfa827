package cli

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ream/cli/client"
)

// noVariables is an environment without any.
func noVariables(string) string { return "" }

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		args     []string
		words    []string
		wait     bool
		priority client.Priority
		wrong    string // in the message
	}{
		{"nothing", nil, nil, true, client.PriorityNormal, ""},
		{"flags before words", []string{"--no-wait", "a", "b"}, []string{"a", "b"}, false, client.PriorityNormal, ""},
		{"flags after words", []string{"a", "--priority", "high", "b", "--wait=false"}, []string{"a", "b"}, false, client.PriorityHigh, ""},
		{"words that look like flags", []string{"a", "--", "--no-wait", "-b"}, []string{"a", "--no-wait", "-b"}, true, client.PriorityNormal, ""},
		{"single dashes", []string{"-priority=Low"}, nil, true, client.PriorityLow, ""},
		{"an unknown flag", []string{"a", "--bogus"}, nil, true, "", "there is no flag --bogus"},
		{"a bad value", []string{"--priority", "urgent"}, nil, true, "", "want high, normal or low"},
		{"a value where none belongs", []string{"--no-wait=false"}, nil, true, "", "it takes no value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFlags("sync", "sync")
			wait, priority := f.wait(), f.priority()
			words, err := f.parse(tt.args)
			if tt.wrong != "" {
				if _, ok := errors.AsType[misuse](err); !ok || !strings.Contains(err.Error(), tt.wrong) {
					t.Fatalf("got error %v, want misuse with %q", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(words, tt.words) || *wait != tt.wait || *priority != tt.priority {
				t.Errorf("got %q, wait %t, priority %s; want %q, %t, %s", words, *wait, *priority, tt.words, tt.wait, tt.priority)
			}
		})
	}
}

func TestServerAddress(t *testing.T) {
	t.Parallel()
	set := func(name string) string { return map[string]string{"REAM_SERVER": "http://variable"}[name] }
	tests := []struct {
		name   string
		getenv func(string) string
		args   []string
		want   string
	}{
		{"by default", noVariables, nil, defaultServer},
		{"by the variable", set, nil, "http://variable"},
		{"by the flag before the variable", set, []string{"--server", "http://flag"}, "http://flag"},
	}
	for _, tt := range tests {
		f := newFlags("sync", "sync")
		server := f.server(Env{Getenv: tt.getenv})
		if _, err := f.parse(tt.args); err != nil {
			t.Fatal(err)
		}
		if c, err := server(); err != nil || c.URL("") != tt.want {
			t.Errorf("%s: got %v and error %v, want %q", tt.name, c, err, tt.want)
		}
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args  []string
		want  client.RepositorySelector
		wrong bool
	}{
		{[]string{"a", "b"}, client.RepositorySelector{Names: []string{"a", "b"}}, false},
		{[]string{"--labels", "env=prod"}, client.RepositorySelector{Labels: "env=prod"}, false},
		{[]string{"--all"}, client.RepositorySelector{All: true}, false},
		{nil, client.RepositorySelector{}, true},
		{[]string{"a", "--all"}, client.RepositorySelector{}, true},
		{[]string{"--labels", "x", "--all"}, client.RepositorySelector{}, true},
	}
	for _, tt := range tests {
		f := newFlags("sync", "sync")
		selection := f.selection()
		words, err := f.parse(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		got, err := selection(words)
		if (err != nil) != tt.wrong || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %+v and error %v, want %+v", tt.args, got, err, tt.want)
		}
	}
}

func TestOriginsOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		words []string
		name  string
		want  []origin
		wrong string // in the message
	}{
		{[]string{"fonts"}, "", []origin{{"fonts", ""}}, ""},
		{[]string{"https://example.org/files/PULP_MANIFEST"}, "", []origin{{"files", "https://example.org/files/PULP_MANIFEST"}}, ""},
		{[]string{"https://example.org/a/my%20files/"}, "", []origin{{"my-files", "https://example.org/a/my%20files/PULP_MANIFEST"}}, ""},
		{[]string{"https://example.org"}, "", []origin{{"example.org", "https://example.org/PULP_MANIFEST"}}, ""},
		{[]string{"https://example.org/files/list.csv?x=1"}, "mine", []origin{{"mine", "https://example.org/files/list.csv?x=1"}}, ""},
		{[]string{"file:///srv/files/"}, "", []origin{{"files", "file:///srv/files/PULP_MANIFEST"}}, ""},
		{[]string{"fonts", "http://h/docs/"}, "", []origin{{"fonts", ""}, {"docs", "http://h/docs/PULP_MANIFEST"}}, ""},
		{[]string{"http://h/a/", "http://g/a/"}, "", nil, "two repositories"},
		{[]string{"fonts"}, "x", nil, "--name is for one URL"},
		{[]string{"http://h/a/", "fonts"}, "x", nil, "--name is for one URL"},
		{[]string{"http://h/%zz"}, "", nil, "is no URL"},
		{[]string{"file:///"}, "", nil, "give one with --name"},
	}
	for _, tt := range tests {
		got, err := originsOf(tt.words, tt.name)
		if tt.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%q: got error %v, want one with %q", tt.words, err, tt.wrong)
			}
			continue
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %+v and error %v, want %+v", tt.words, got, err, tt.want)
		}
	}
}
