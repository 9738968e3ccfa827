package blob

import "github.com/minio/minio-go/v7/pkg/credentials"

// SmallMost is how large a blob can be that waits in memory.
const SmallMost = smallMost

// NewDiskByFile is NewDisk where file systems cannot be flushed as a whole.
func NewDiskByFile(dir string) (*Disk, error) { return newDisk(dir, false) }

// WithKeys returns options with credentials that are not the environment's.
func (o S3Options) WithKeys(access, secret string) S3Options {
	o.credentials = credentials.NewStaticV4(access, secret, "")
	return o
}
