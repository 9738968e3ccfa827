package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ream/secret"
)

// holder has secrets where fmt asks no method of them, too.
type holder struct {
	Shown secret.Text
	own   secret.Text
	list  []secret.Text
	named map[string]secret.Text
}

func TestTextIsNotShown(t *testing.T) {
	t.Parallel()
	text := secret.New("hunter2")
	if !text.IsSet() || text.Reveal() != "hunter2" {
		t.Errorf("Reveal: got %q", text.Reveal())
	}
	if none := secret.New(""); none.IsSet() || none.Reveal() != "" || fmt.Sprint(none) != "" || none != (secret.Text{}) {
		t.Errorf("an empty text is shown as %v", none)
	}
	h := holder{text, text, []secret.Text{text}, map[string]secret.Text{"a": text}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a", "text", text, "holder", h, "pointer", &text)
	slog.New(slog.NewTextHandler(&log, nil)).Info("a", "text", text, "holder", h, "pointer", &text)
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		shown += fmt.Sprintf(strings.Repeat(verb+" ", 4), text, &text, h, &h)
	}
	for _, leak := range []string{"hunter2", "68756e74657232", "68756E74657232", "104 117"} {
		if strings.Contains(shown, leak) {
			t.Errorf("%q is in %s", leak, shown)
		}
	}
	if !strings.Contains(shown, "[secret]") {
		t.Errorf("nothing tells that there is a secret: %s", shown)
	}
}

func load(t *testing.T, path string) *secret.Key {
	t.Helper()
	key, err := secret.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSeal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, other := load(t, filepath.Join(dir, "a")), load(t, filepath.Join(dir, "b"))
	if key.ID() == other.ID() || len(key.ID()) != 16 {
		t.Errorf("ids: got %q and %q", key.ID(), other.ID())
	}
	for _, text := range []string{"", "hunter2", strings.Repeat("long", 10_000)} {
		sealed := key.Seal(secret.New(text), "remote-3 password")
		if len(text) > 0 && bytes.Contains(sealed, []byte(text)) {
			t.Error("the sealed text shows itself")
		}
		if again := key.Seal(secret.New(text), "remote-3 password"); bytes.Equal(sealed, again) {
			t.Error("the same text is sealed alike twice: equal secrets show")
		}
		opened, err := key.Open(sealed, "remote-3 password")
		if err != nil || opened.Reveal() != text {
			t.Errorf("Open: got %.20q, %v, want %.20q", opened.Reveal(), err, text)
		}
		changed := bytes.Clone(sealed)
		changed[len(changed)-1] ^= 1
		for name, open := range map[string]func() (secret.Text, error){
			"with another key":   func() (secret.Text, error) { return other.Open(sealed, "remote-3 password") },
			"of another remote":  func() (secret.Text, error) { return key.Open(sealed, "remote-4 password") },
			"of another field":   func() (secret.Text, error) { return key.Open(sealed, "remote-3 token") },
			"after a change":     func() (secret.Text, error) { return key.Open(changed, "remote-3 password") },
			"cut off":            func() (secret.Text, error) { return key.Open(sealed[:len(sealed)-1], "remote-3 password") },
			"with nothing in it": func() (secret.Text, error) { return key.Open(nil, "remote-3 password") },
		} {
			if opened, err := open(); !errors.Is(err, secret.ErrSealed) || opened.IsSet() {
				t.Errorf("Open %s: got %v, want ErrSealed", name, err)
			}
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "secret.key")
	if _, err := secret.Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load: got %v, want fs.ErrNotExist", err)
	}
	var keys [8]*secret.Key
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() { keys[i], _ = secret.LoadOrCreate(path) })
	}
	group.Wait()
	for _, key := range keys {
		if key == nil || key.ID() != keys[0].ID() {
			t.Fatal("processes that start at once get different keys")
		}
	}
	loaded, err := secret.Load(path)
	if err != nil || loaded.ID() != keys[0].ID() {
		t.Errorf("Load: got %v, want the key that was made", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("files: got %v, %v, want the key alone", left, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty":    "",
		"short":    base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"no key":   "hunter2 is no key",
		"two keys": string(text) + string(text),
	} {
		bad := filepath.Join(dir, name)
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := secret.LoadOrCreate(bad)
		if err == nil || !strings.Contains(err.Error(), bad+" is no key: want 32 random bytes in base64") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
