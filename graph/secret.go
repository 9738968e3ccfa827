package graph

import (
	"errors"
	"io"

	"github.com/99designs/gqlgen/graphql"

	"ream/secret"
)

// MarshalSecret writes that there is a secret, not what it says.
func MarshalSecret(secret.Text) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { io.WriteString(w, `"[secret]"`) })
}

// UnmarshalSecret reads a text. Its error does not quote what else came.
func UnmarshalSecret(v any) (secret.Text, error) {
	s, ok := v.(string)
	if !ok {
		return secret.Text{}, errors.New("a secret has to be a string")
	}
	return secret.New(s), nil
}
