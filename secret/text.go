// Package secret keeps secret texts: out of what is printed while they are in
// memory, and encrypted where they are stored.
package secret

import (
	"fmt"
	"io"
)

// hidden is what is shown instead of a Text.
const hidden = "[secret]"

// Text is a secret text. Whatever prints, logs or encodes it shows that there
// is one, not what it says. The zero Text is empty.
type Text struct {
	// A pointer, since fmt asks no method of what it finds in unexported
	// fields of others: it prints the address.
	text *string
}

// New returns s as a secret.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{&s}
}

// Reveal returns the text itself.
func (t Text) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// IsSet reports whether the text has any characters.
func (t Text) IsSet() bool { return t.text != nil }

// Format prints that there is a secret, by every verb of fmt.
func (t Text) Format(f fmt.State, _ rune) { io.WriteString(f, t.shown()) } //nolint:errcheck // Formatters have no way to fail

// MarshalText encodes that there is a secret, for JSON and the log.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.shown()), nil }

func (t Text) shown() string {
	if t.IsSet() {
		return hidden
	}
	return ""
}
