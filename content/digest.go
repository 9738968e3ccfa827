package content

import (
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256 in lower-case hex, 64 characters.
type Digest string

// ParseDigest reads 64 hex digits in either case.
func ParseDigest(s string) (Digest, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 32 {
		return "", fmt.Errorf("%.80q is no SHA-256: want 64 hex digits", s)
	}
	return Digest(hex.EncodeToString(raw)), nil
}
