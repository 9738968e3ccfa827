package resolvers

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/secret"
)

func (r *requests) UpdateRemote(_ context.Context, id content.RemoteID, in catalog.RemoteChange) (*content.Remote, error) {
	r.last = in
	return &content.Remote{ID: id}, nil
}

// TestRemoteInputs gives every field, by a variable as clients do.
func TestRemoteInputs(t *testing.T) {
	t.Parallel()
	input := map[string]any{
		"name": "a", "url": "http://u/", "policy": "IMMEDIATE", "username": "me", "password": "pw", "token": "tk",
		"headers": []any{map[string]any{"name": "X-A", "value": "a"}, map[string]any{"name": "X-B"}},
		"caCert":  "ca", "clientCert": "cc", "clientKey": "ck", "verifyTls": false,
		"proxyUrl": "http://p", "proxyUsername": "you", "proxyPassword": "pp", "insecureRedirects": true,
		"connections": 3, "bytesPerSecond": 1 << 40, "stallTimeout": 5, "totalTimeout": 0, "retries": 0,
	}
	headers := []catalog.Header{{Name: "X-A", Value: new(secret.New("a"))}, {Name: "X-B"}}
	made := &requests{}
	send := func(document string) {
		t.Helper()
		if a := ask(t, Resolver{Store: &memory{}, Catalog: made}, document, map[string]any{"in": input}); len(a.Errors) > 0 {
			t.Fatalf("errors: %v", a.Errors)
		}
	}
	send(`mutation($in: CreateRemoteInput!) { createRemote(input: $in) { id } }`)
	want := catalog.RemoteInput{
		Name: "a", URL: "http://u/", Policy: content.Immediate, Username: "me", Password: secret.New("pw"), Token: secret.New("tk"), Headers: headers,
		CACert: "ca", ClientCert: "cc", ClientKey: secret.New("ck"), ProxyURL: "http://p", ProxyUsername: "you", ProxyPassword: secret.New("pp"),
		InsecureRedirects: true, Connections: 3, BytesPerSecond: 1 << 40, StallTimeout: 5 * time.Second,
	}
	if !reflect.DeepEqual(made.last, want) {
		t.Errorf("create: got %+v, want %+v", made.last, want)
	}

	input["id"] = "remote-3"
	send(`mutation($in: UpdateRemoteInput!) { updateRemote(input: $in) { id } }`)
	change := catalog.RemoteChange{
		Name: new("a"), URL: new("http://u/"), Policy: new(content.Immediate), Username: new("me"), Password: new(secret.New("pw")), Token: new(secret.New("tk")), Headers: &headers,
		CACert: new("ca"), ClientCert: new("cc"), ClientKey: new(secret.New("ck")), VerifyTLS: new(false), ProxyURL: new("http://p"), ProxyUsername: new("you"), ProxyPassword: new(secret.New("pp")),
		InsecureRedirects: new(true), Connections: new(3), BytesPerSecond: new(int64(1 << 40)), StallTimeout: new(5 * time.Second), TotalTimeout: new(time.Duration(0)), Retries: new(0),
	}
	if !reflect.DeepEqual(made.last, change) {
		t.Errorf("update: got %+v, want %+v", made.last, change)
	}
	for name := range input {
		if name != "id" {
			input[name] = nil
		}
	}
	send(`mutation($in: UpdateRemoteInput!) { updateRemote(input: $in) { id } }`)
	if !reflect.DeepEqual(made.last, catalog.RemoteChange{}) {
		t.Errorf("update with nulls: got %+v, want no change", made.last)
	}
}

// TestRemoteShowsNoSecrets reads every field of a remote that has them all.
func TestRemoteShowsNoSecrets(t *testing.T) {
	t.Parallel()
	store := &oneRemote{remote: content.Remote{
		ID: 1, Name: "a", URL: "http://u/", Policy: content.Immediate, Username: "me", CACert: "ca", ClientCert: "cc", VerifyTLS: true,
		ProxyURL: "http://p", ProxyUsername: "you", Connections: 3, BytesPerSecond: 1 << 40, StallTimeout: 5 * time.Second, TotalTimeout: time.Hour, Retries: 2,
		Secrets: content.Secrets{content.Password: []byte("sealed"), content.Token: []byte("sealed"), content.ClientKey: []byte("sealed"),
			content.ProxyPassword: []byte("sealed"), content.HeaderValue("X-B"): []byte("sealed"), content.HeaderValue("X-A"): []byte("sealed")},
	}}
	const fields = `username hasPassword hasToken headerNames caCert clientCert hasClientKey verifyTls proxyUrl proxyUsername hasProxyPassword
		insecureRedirects connections bytesPerSecond stallTimeout totalTimeout retries`
	a := ask(t, Resolver{Store: store}, `{ remote(name: "a") { `+fields+` } }`, nil)
	const want = `{"remote":{"username":"me","hasPassword":true,"hasToken":true,"headerNames":["X-A","X-B"],"caCert":"ca","clientCert":"cc","hasClientKey":true,"verifyTls":true,` +
		`"proxyUrl":"http://p","proxyUsername":"you","hasProxyPassword":true,"insecureRedirects":false,"connections":3,"bytesPerSecond":1099511627776,"stallTimeout":5,"totalTimeout":3600,"retries":2}}`
	if got := string(a.Data); got != want {
		t.Errorf("got %s, errors %v, want %s", got, a.Errors, want)
	}
	store.remote.Secrets = nil
	a = ask(t, Resolver{Store: store}, `{ remote(name: "a") { hasPassword hasToken hasClientKey hasProxyPassword headerNames } }`, nil)
	if got := string(a.Data); got != `{"remote":{"hasPassword":false,"hasToken":false,"hasClientKey":false,"hasProxyPassword":false,"headerNames":[]}}` {
		t.Errorf("without secrets: got %s, errors %v", got, a.Errors)
	}
}

// oneRemote is a store with a remote of any name.
type oneRemote struct {
	memory
	remote content.Remote
}

// Within is the same within every limit.
func (s *oneRemote) Within(access.Limit) Store { return s }

func (s *oneRemote) RemoteByName(context.Context, string) (*content.Remote, error) {
	return &s.remote, nil
}

// TestSecretsOfWrongTypes are not repeated in the errors.
func TestSecretsOfWrongTypes(t *testing.T) {
	t.Parallel()
	for _, wrong := range []any{[]string{"hunter2"}, map[string]any{"hunter2": "hunter2"}, 4815162342} {
		a, log := askLogged(t, Resolver{Store: &memory{}, Catalog: &requests{}}, `mutation($p: Secret) { createRemote(input: {name: "a", url: "b", password: $p}) { id } }`, map[string]any{"p": wrong})
		shown, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Errors) == 0 || strings.Contains(string(shown)+log, "hunter2") || strings.Contains(string(shown)+log, "4815162342") {
			t.Errorf("%v: got %s and the log %q", wrong, shown, log)
		}
	}
}
