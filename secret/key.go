package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// keySize is that of a key as it lies in a file, in bytes.
const keySize = 32

// Key encrypts secrets, and opens those that it encrypted. It is safe for
// concurrent use.
type Key struct {
	id   string
	aead cipher.AEAD
}

// ErrSealed is why a sealed secret does not open: it was sealed with another
// key or for another place, or was changed.
var ErrSealed = errors.New("it was sealed with another key or for another place, or was changed since")

// newKey derives what seals and what names the key from the bytes of its file,
// so that neither tells anything of the other.
func newKey(raw []byte) (*Key, error) {
	sealing, err := hkdf.Key(sha256.New, raw, nil, "ream seal AES-256-GCM", keySize)
	if err != nil {
		return nil, fmt.Errorf("derive the secrets' key: %w", err)
	}
	id, err := hkdf.Key(sha256.New, raw, nil, "ream key id", 8)
	if err != nil {
		return nil, fmt.Errorf("derive the key's id: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, fmt.Errorf("use the secrets' key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("use the secrets' key: %w", err)
	}
	return &Key{hex.EncodeToString(id), aead}, nil
}

// ID tells this key from others, and nothing else about it.
func (k *Key) ID() string { return k.id }

// Seal encrypts a secret for the place where it is to be stored, such as
// "remote-3 password". It opens nowhere else.
func (k *Key) Seal(t Text, place string) []byte {
	return k.aead.Seal(nil, nil, []byte(t.Reveal()), []byte(place))
}

// Open decrypts what was sealed for that place. It fails with ErrSealed.
func (k *Key) Open(sealed []byte, place string) (Text, error) {
	opened, err := k.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return Text{}, ErrSealed
	}
	return New(string(opened)), nil
}
