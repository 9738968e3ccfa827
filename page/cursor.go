package page

import (
	"encoding/base64"
	"strings"

	"ream/fault"
)

// cursorVersion tells cursors of this form from those of a later one.
const cursorVersion = "1:"

// EncodeCursor makes the opaque cursor that stands for a key.
func EncodeCursor(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + key))
}

// DecodeCursor returns the key that the cursor given in an argument stands
// for. Anything that EncodeCursor did not make is bad input.
func DecodeCursor(argument, cursor string) (string, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	key, ok := strings.CutPrefix(string(text), cursorVersion)
	if err != nil || !ok || key == "" || EncodeCursor(key) != cursor { // base64 passes over line ends
		return "", fault.Input(argument, "%.80q is no cursor: take one from a page of the same list", cursor)
	}
	return key, nil
}
