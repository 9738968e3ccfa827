package blob

// NewDiskByFile is NewDisk where file systems cannot be flushed as a whole.
func NewDiskByFile(dir string) (*Disk, error) { return newDisk(dir, false) }
