package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads the key in a file: 32 bytes in base64. It fails with an error
// that wraps fs.ErrNotExist if there is no such file.
func Load(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the secrets' key: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != keySize { // the error would quote the key
		return nil, fmt.Errorf("%s is no key: want %d random bytes in base64, as openssl rand -base64 %d prints them", path, keySize, keySize)
	}
	return newKey(raw)
}

// LoadOrCreate reads the key in a file. If there is none yet it makes one that
// only the file's owner may read, durably: no secret is ever sealed with a key
// that a power cut could take away. Processes that start at once get the same.
func LoadOrCreate(path string) (*Key, error) {
	key, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create the secrets' key: %w", err)
	}
	return Load(path)
}

// create writes a new key under another name first, so that nobody ever reads
// half a key. It fails with fs.ErrExist if another process was faster.
func create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".key-*") // for its owner alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	raw := make([]byte, keySize)
	rand.Read(raw) //nolint:errcheck // it never fails
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
