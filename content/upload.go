package content

import "time"

// UploadID is the ID of an upload. Clients see it as "upload-12".
type UploadID int64

func (id UploadID) String() string { return format("upload", int64(id)) }

// Upload is a file that a client sends, in one piece or in many.
type Upload struct {
	ID        UploadID
	Owner     string // whose it is: nobody else sees it
	Name      string // as the client calls it; may be empty
	Metadata  string // as the header Upload-Metadata of tus gave it
	Size      int64  // bytes, once all have come
	Received  int64  // bytes that have come, and are not lost
	HashState []byte // of the SHA-256 of those
	Wanted    Digest // what the client says that the SHA-256 is going to be; empty if it does not
	SHA256    Digest // once all have come
	Used      bool   // whether an unfinished task needs it: it changes no more
	Path      string // where it goes to, once a version with it was asked for
	CreatedAt time.Time
	ExpiresAt time.Time // it is purged then, unless a task still needs it
}

// NodeID is the ID as clients see it.
func (u *Upload) NodeID() string { return u.ID.String() }

// Complete reports whether all has come.
func (u *Upload) Complete() bool { return u.SHA256 != "" }
