package graph

import (
	"errors"
	"io"
	"strconv"

	"ream/content"
)

// Upload is a file of a multipart request, which was received before the rest of
// the request is looked at.
type Upload struct {
	ID     content.UploadID
	SHA256 content.Digest
}

// MarshalGQL writes the upload's ID: files are never answered.
func (u Upload) MarshalGQL(w io.Writer) {
	_, _ = io.WriteString(w, strconv.Quote(u.ID.String())) // nobody who marshals has another way
}

// UnmarshalGQL takes what the request itself has put in the place of a file.
func (u *Upload) UnmarshalGQL(v any) error {
	file, ok := v.(Upload)
	if !ok {
		return errors.New("want a file of a multipart request")
	}
	*u = file
	return nil
}
