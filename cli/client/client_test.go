package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ream/cli/client"
)

func TestNewWantsTheAddressOfAServer(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "127.0.0.1:8080", "localhost", "ftp://h", "http://", "http://%zz"} {
		if _, err := client.New(address, client.Options{}); err == nil || !strings.Contains(err.Error(), "such as http://127.0.0.1:8080") {
			t.Errorf("%q: got error %v", address, err)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://h:1":        "http://h:1/graphql",
		"http://h:1/":       "http://h:1/graphql",
		"https://h/ream/?x": "https://h/ream/graphql",
	} {
		c, err := client.New(address, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.URL("/graphql"); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func TestErrorsNameTheCauseAndTheRemedy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		want   string // in the message
	}{
		{"refused", 200, `{"errors":[{"message":"there is none","extensions":{"code":"NOT_FOUND","field":"id"}}],"data":null}`, "id: there is none"},
		{"refused with a status", 422, `{"errors":[{"message":"id: bad","extensions":{"code":"BAD_INPUT","field":"id"}}]}`, "id: bad"},
		{"no Ream", 404, "<html>", "does not answer as a Ream server (404 Not Found): check --server"},
		{"no data", 500, "{}", "answered 500"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			defer server.Close()
			c, err := client.New(server.URL, client.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Cancel(t.Context(), c, "task-1")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			refused, ok := errors.AsType[*client.Error](err)
			if ok != strings.HasPrefix(tt.name, "refused") || ok && refused.Field != "id" {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestUnreachableServerIsNamed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := client.New(server.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Cancel(t.Context(), c, "task-1")
	if err == nil || !strings.Contains(err.Error(), "no answer from "+server.URL+": is the server running there") {
		t.Errorf("got error %v", err)
	}
	if err := c.Watch(t.Context(), "task-1", nil); !errors.Is(err, client.ErrDropped) {
		t.Errorf("got error %v, want %v", err, client.ErrDropped)
	}
}
