package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// A secret is "ream_" and 58 letters and digits: 256 random bits, and 32 by
// which a mistyped or cut one is found out without asking the database. Those
// who look for leaked secrets can search for ream_[a-z2-7]{58}.
const (
	SecretPrefix = "ream_"

	randomBytes = 32
	secretBytes = randomBytes + crc32.Size
)

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewSecret returns a new secret, which nobody can guess.
func NewSecret() string {
	b := make([]byte, randomBytes, secretBytes)
	rand.Read(b) // never fails
	return SecretPrefix + letters.EncodeToString(binary.BigEndian.AppendUint32(b, checksum(b)))
}

func checksum(random []byte) uint32 {
	return crc32.ChecksumIEEE(append([]byte(SecretPrefix), random...))
}

// HashSecret returns what is stored of a secret: its SHA-256 in hex. It
// reports false if the text is none, or not as it was given out.
//
// A slow hash, as passwords need, would add nothing: nobody can try the
// 2^256 secrets that there may be. Nor is it of use to measure how long two
// hashes take to compare: whoever wants another hash needs another secret.
func HashSecret(s string) (hash string, ok bool) {
	text, ok := strings.CutPrefix(s, SecretPrefix)
	if !ok || len(text) != letters.EncodedLen(secretBytes) {
		return "", false
	}
	b, err := letters.DecodeString(text)
	// The last letter has bits to spare: of the texts that decode alike, one was given out.
	if err != nil || letters.EncodeToString(b) != text || binary.BigEndian.Uint32(b[randomBytes:]) != checksum(b[:randomBytes]) {
		return "", false
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:]), true
}
