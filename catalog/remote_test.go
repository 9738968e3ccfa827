package catalog_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

func newKey(t *testing.T) *secret.Key {
	t.Helper()
	key, err := secret.LoadOrCreate(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCatalog(t *testing.T, store *db.DB) *catalog.Catalog {
	t.Helper()
	return &catalog.Catalog{DB: store, Fetch: fetch.New(fetch.Config{}), Key: newKey(t)}
}

// input is of a remote that needs nothing more.
func input(name string) catalog.RemoteInput {
	return catalog.RemoteInput{Name: name, URL: "https://example.org/PULP_MANIFEST", Policy: content.Immediate, VerifyTLS: true,
		Connections: 4, StallTimeout: 30 * time.Second, TotalTimeout: time.Hour, Retries: 4}
}

func text(s string) *secret.Text { return new(secret.New(s)) }

// opens reports what the secrets of a remote are with the catalog's key.
func opens(t *testing.T, c *catalog.Catalog, r *content.Remote) string {
	t.Helper()
	read, err := c.DB.RemotesByID(t.Context(), []content.RemoteID{r.ID})
	if err != nil || read[0] == nil {
		t.Fatalf("the remote: got %v, %v", read, err)
	}
	var all []string
	for _, name := range []content.SecretName{content.Password, content.Token, content.ClientKey, content.ProxyPassword, content.HeaderValue("X-A"), content.HeaderValue("X-B")} {
		if sealed, ok := read[0].Secrets[name]; ok {
			at := " at https://example.org through " + map[bool]string{true: "http://proxy", false: "://"}[r.ProxyURL != ""]
			if name == content.ProxyPassword {
				at = " at http://proxy"
			}
			opened, err := c.Key.Open(sealed, r.ID.String()+" "+string(name)+at)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, fmt.Sprint(name, "=", opened.Reveal()))
		}
	}
	return strings.Join(all, " ")
}

func TestRemoteSecrets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.DB) {
		c := newCatalog(t, store)
		in := input("r")
		in.Username, in.Password = "me", secret.New("one")
		in.ProxyURL, in.ProxyUsername, in.ProxyPassword = "http://proxy", "you", secret.New("two")
		in.Headers = []catalog.Header{{Name: "x-a", Value: text("three")}, {Name: "X-B", Value: text("four")}}
		r, err := c.CreateRemote(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		const created = "password=one proxyPassword=two header X-A=three header X-B=four"
		if got := opens(t, c, r); got != created {
			t.Errorf("created: got %q, want %q", got, created)
		}
		for _, step := range []struct {
			name   string
			change catalog.RemoteChange
			want   string
		}{
			{"nothing", catalog.RemoteChange{}, created},
			{"something else", catalog.RemoteChange{Name: new("s"), URL: new("https://example.org/other/PULP_MANIFEST")}, created},
			{"a password", catalog.RemoteChange{Password: text("five")}, "password=five proxyPassword=two header X-A=three header X-B=four"},
			{"headers: one kept, one gone", catalog.RemoteChange{Headers: &[]catalog.Header{{Name: "x-b"}}}, "password=five proxyPassword=two header X-B=four"},
			{"headers: one new, one replaced", catalog.RemoteChange{Headers: &[]catalog.Header{{Name: "X-B", Value: text("six")}, {Name: "X-A", Value: text("seven")}}}, "password=five proxyPassword=two header X-A=seven header X-B=six"},
			{"no headers", catalog.RemoteChange{Headers: &[]catalog.Header{}}, "password=five proxyPassword=two"},
			{"a token instead of a user", catalog.RemoteChange{Username: new(""), Password: text(""), Token: text("eight")}, "token=eight proxyPassword=two"},
			{"no proxy", catalog.RemoteChange{Token: text("nine"), ProxyURL: new(""), ProxyUsername: new(""), ProxyPassword: text("")}, "token=nine"},
			{"nothing left", catalog.RemoteChange{Token: text("")}, ""},
		} {
			if r, err = c.UpdateRemote(t.Context(), r.ID, step.change); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if got := opens(t, c, r); got != step.want {
				t.Errorf("%s: got %q, want %q", step.name, got, step.want)
			}
		}
	})
}

func wantInput(t *testing.T, name string, err error, field, message string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.BadInput || f.Field != field || !strings.Contains(f.Message, message) {
		t.Errorf("%s: got %v, want BadInput for %s: %q", name, err, field, message)
	}
}

// TestSecretsStayWhereTheyWereGivenFor changes where a remote's secrets would
// be sent.
func TestSecretsStayWhereTheyWereGivenFor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.DB) {
		c := newCatalog(t, store)
		in := input("r")
		in.Username, in.Password = "me", secret.New("one")
		in.ProxyURL, in.ProxyUsername, in.ProxyPassword = "http://proxy", "you", secret.New("two")
		r, err := c.CreateRemote(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		const away = "that is set was not given to be sent there: give it again, or remove it"
		for _, test := range []struct {
			name           string
			change         catalog.RemoteChange
			field, message string // empty if it works
		}{
			{"another host", catalog.RemoteChange{URL: new("https://example.com/PULP_MANIFEST")}, "url", "the password " + away},
			{"another port", catalog.RemoteChange{URL: new("https://example.org:444/PULP_MANIFEST")}, "url", "the password " + away},
			{"without TLS", catalog.RemoteChange{URL: new("http://example.org/PULP_MANIFEST")}, "url", "the password " + away},
			{"another proxy", catalog.RemoteChange{ProxyURL: new("http://other")}, "proxyUrl", "the password " + away},
			{"another proxy, with the password", catalog.RemoteChange{ProxyURL: new("http://other"), Password: text("one")}, "proxyUrl", "the proxyPassword " + away},
			{"no proxy, but its password", catalog.RemoteChange{ProxyURL: new(""), Password: text("one")}, "proxyUrl", "the proxyPassword " + away},
			{"another host in capital letters", catalog.RemoteChange{URL: new("https://EXAMPLE.org/PULP_MANIFEST")}, "", ""},
			{"another proxy, with both", catalog.RemoteChange{ProxyURL: new("http://other"), Password: text("one"), ProxyPassword: text("two")}, "", ""},
			{"another host, without the password", catalog.RemoteChange{URL: new("https://example.com/PULP_MANIFEST"), Password: text("")}, "", ""},
		} {
			_, err := c.UpdateRemote(t.Context(), r.ID, test.change)
			if test.field != "" {
				wantInput(t, test.name, err, test.field, test.message)
			} else if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	})
}

// TestSealedSecretsDoNotMove puts sealed secrets elsewhere in the database, as
// somebody might who can write to it.
func TestSealedSecretsDoNotMove(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.DB) {
		c := newCatalog(t, store)
		create := func(name string) *content.Remote {
			in := input(name)
			in.Username, in.Password, in.Headers = "me", secret.New("one"), []catalog.Header{{Name: "X-A", Value: text("two")}}
			r, err := c.CreateRemote(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := create("first")
		for _, test := range []struct {
			name string
			move func(r *content.Remote)
		}{
			{"of another remote", func(r *content.Remote) { r.Secrets = first.Secrets }},
			{"of another field", func(r *content.Remote) { r.Secrets[content.Password] = r.Secrets[content.HeaderValue("X-A")] }},
			{"to another host", func(r *content.Remote) { r.URL = "https://example.com/PULP_MANIFEST" }},
			{"through another proxy", func(r *content.Remote) { r.ProxyURL = "http://proxy" }},
			{"with a changed byte", func(r *content.Remote) { r.Secrets[content.Password][20] ^= 1 }},
		} {
			r := create(test.name)
			test.move(r)
			if err := store.InTx(t.Context(), func(tx *db.Tx) error { return tx.UpdateRemote(t.Context(), r) }); err != nil {
				t.Fatal(err)
			}
			_, err := c.UpdateRemote(t.Context(), r.ID, catalog.RemoteChange{Retries: new(1)})
			if want := `of remote "` + test.name + `" does not open with this server's key: set it again, or give all servers the key that it was sealed with by --secret-key-file`; !fault.Is(err, fault.Conflict) || !strings.HasSuffix(fault.Message(err), want) {
				t.Errorf("%s: got %v, want Conflict %q", test.name, err, want)
			}
		}

		// Whoever lost the key can still set all secrets anew.
		c.Key = newKey(t)
		change := catalog.RemoteChange{Password: text("three")}
		if _, err := c.UpdateRemote(t.Context(), first.ID, change); !fault.Is(err, fault.Conflict) {
			t.Errorf("one secret of two with another key: got %v, want Conflict", err)
		}
		change.Headers = &[]catalog.Header{{Name: "X-A", Value: text("four")}}
		r, err := c.UpdateRemote(t.Context(), first.ID, change)
		if err != nil {
			t.Fatalf("all secrets with another key: %v", err)
		}
		if got := opens(t, c, r); got != "password=three header X-A=four" {
			t.Errorf("all secrets with another key: got %q", got)
		}
	})
}

// TestUpdatesAtOnce changes different settings of a remote at the same time.
func TestUpdatesAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, store *db.DB) {
		c := newCatalog(t, store)
		r, err := c.CreateRemote(t.Context(), input("r"))
		if err != nil {
			t.Fatal(err)
		}
		changes := []catalog.RemoteChange{
			{Token: text("one")}, {Headers: &[]catalog.Header{{Name: "X-A", Value: text("two")}}}, {Connections: new(7)}, {Retries: new(0)}, {BytesPerSecond: new(int64(2048))},
		}
		errs := make([]error, len(changes))
		var group sync.WaitGroup
		for i, change := range changes {
			group.Go(func() { _, errs[i] = c.UpdateRemote(t.Context(), r.ID, change) })
		}
		group.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		read, err := store.RemoteByName(t.Context(), "r")
		if err != nil {
			t.Fatal(err)
		}
		if got := opens(t, c, read); got != "token=one header X-A=two" || read.Connections != 7 || read.Retries != 0 || read.BytesPerSecond != 2048 {
			t.Errorf("got %q and %+v, want all changes", got, read)
		}
	})
}

func TestRemoteInput(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, dbtest.SQLite(t))
	kept, err := c.CreateRemote(t.Context(), input("kept"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		change         func(*catalog.RemoteInput)
		field, message string
	}{
		{"name", func(in *catalog.RemoteInput) { in.Name = "" }, "name", "want up to 200"},
		{"no URL", func(in *catalog.RemoteInput) { in.URL = "" }, "url", "want http://host/…"},
		{"bad URL", func(in *catalog.RemoteInput) { in.URL = "http://[" }, "url", "it is no valid URL"},
		{"password in the URL", func(in *catalog.RemoteInput) { in.URL = "http://me:hunter2@host/a" }, "url", "use username and password"},
		{"directory", func(in *catalog.RemoteInput) { in.URL = "http://host/a/" }, "url", "it names a directory"},
		{"file", func(in *catalog.RemoteInput) { in.URL = "file:///etc/passwd" }, "url", "it is not below a directory that the operator allowed: see --allow-file"},
		{"policy", func(in *catalog.RemoteInput) { in.Policy = "NEVER" }, "policy", "want IMMEDIATE or ON_DEMAND"},
		{"no connections", func(in *catalog.RemoteInput) { in.Connections = 0 }, "connections", "want 1 to 64"},
		{"many connections", func(in *catalog.RemoteInput) { in.Connections = 65 }, "connections", "want 1 to 64"},
		{"few bytes", func(in *catalog.RemoteInput) { in.BytesPerSecond = 1023 }, "bytesPerSecond", "want 1024 or more, or 0 for no limit"},
		{"negative bytes", func(in *catalog.RemoteInput) { in.BytesPerSecond = -1 }, "bytesPerSecond", "want 1024 or more"},
		{"no stall", func(in *catalog.RemoteInput) { in.StallTimeout = 0 }, "stallTimeout", "want 1 to 3600 seconds"},
		{"long stall", func(in *catalog.RemoteInput) { in.StallTimeout = 3601 * time.Second }, "stallTimeout", "want 1 to 3600 seconds"},
		{"negative total", func(in *catalog.RemoteInput) { in.TotalTimeout = -time.Second }, "totalTimeout", "want up to 604800 seconds, or 0 for no limit"},
		{"long total", func(in *catalog.RemoteInput) { in.TotalTimeout = 604801 * time.Second }, "totalTimeout", "want up to 604800 seconds"},
		{"negative retries", func(in *catalog.RemoteInput) { in.Retries = -1 }, "retries", "want 0 to 10"},
		{"many retries", func(in *catalog.RemoteInput) { in.Retries = 11 }, "retries", "want 0 to 10"},
		{"header twice", func(in *catalog.RemoteInput) {
			in.Headers = []catalog.Header{{Name: "X-A", Value: text("hunter2")}, {Name: "x-a", Value: text("hunter2")}}
		}, "headers", `"x-a" is given twice`},
		{"header without a value", func(in *catalog.RemoteInput) { in.Headers = []catalog.Header{{Name: "X-A"}} }, "headers", `"X-A" has no value: give one`},
		{"header that is not allowed", func(in *catalog.RemoteInput) { in.Headers = []catalog.Header{{Name: "Host", Value: text("hunter2")}} }, "headers", "Host is not allowed: the URL says it"},
		{"token and user", func(in *catalog.RemoteInput) { in.Token, in.Username = secret.New("hunter2"), "me" }, "token", "give either a token or a username"},
		{"key", func(in *catalog.RemoteInput) { in.ClientKey = secret.New("hunter2") }, "clientCert", "it is needed with a client key"},
		{"authorities", func(in *catalog.RemoteInput) { in.CACert = "hunter2" }, "caCert", "want certificates in PEM"},
		{"proxy", func(in *catalog.RemoteInput) { in.ProxyURL = "proxy" }, "proxyUrl", "want a URL such as"},
	} {
		in := input("new")
		test.change(&in)
		_, err := c.CreateRemote(t.Context(), in)
		wantInput(t, test.name, err, test.field, test.message)
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the error tells a secret: %v", test.name, err)
		}
		// The same in a change of all settings.
		_, err = c.UpdateRemote(t.Context(), kept.ID, catalog.RemoteChange{
			Name: &in.Name, URL: &in.URL, Policy: &in.Policy, Username: &in.Username, Password: &in.Password, Token: &in.Token, Headers: &in.Headers,
			CACert: &in.CACert, ClientCert: &in.ClientCert, ClientKey: &in.ClientKey, VerifyTLS: &in.VerifyTLS,
			ProxyURL: &in.ProxyURL, ProxyUsername: &in.ProxyUsername, ProxyPassword: &in.ProxyPassword, InsecureRedirects: &in.InsecureRedirects,
			Connections: &in.Connections, BytesPerSecond: &in.BytesPerSecond, StallTimeout: &in.StallTimeout, TotalTimeout: &in.TotalTimeout, Retries: &in.Retries,
		})
		wantInput(t, test.name+", changed", err, test.field, test.message)
	}
	if _, err := c.UpdateRemote(t.Context(), 99, catalog.RemoteChange{}); !fault.Is(err, fault.NotFound) || fault.Message(err) != "there is no remote-99" {
		t.Errorf("update of nothing: got %v, want NotFound", err)
	}
	if _, err := c.DeleteRemote(t.Context(), 99); !fault.Is(err, fault.NotFound) || fault.Message(err) != "there is no remote-99" {
		t.Errorf("deletion of nothing: got %v, want NotFound", err)
	}
}
