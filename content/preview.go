package content

// PreviewKind says what a sync would do about a path.
type PreviewKind string

// What a sync would do about a path.
const (
	WouldAdd     PreviewKind = "ADDED"    // only the new version would have a file there
	WouldRemove  PreviewKind = "REMOVED"  // only the newest version has
	WouldReplace PreviewKind = "REPLACED" // both, but not the same
	WouldFetch   PreviewKind = "FETCHED"  // both have the same, but its bytes are not stored
)

// PreviewKinds are all there are.
var PreviewKinds = []PreviewKind{WouldAdd, WouldRemove, WouldReplace, WouldFetch}

// Preview is what a sync would have done at the time when it was asked for.
type Preview struct {
	TaskID int64 // of the task that found it out

	Added, Removed, Replaced int // paths
	Unchanged                int // paths at which there would be the same as before
	FetchFiles               int // files to be fetched, each once, however many paths have it
	FetchBytes               int64
}

// PreviewFile is what lies at a path.
type PreviewFile struct {
	SHA256 Digest
	Size   int64 // bytes
}

// PreviewChange is what a sync would do about a path.
type PreviewChange struct {
	Path   string
	Kind   PreviewKind
	Before *PreviewFile // what the newest version has there; nil for nothing
	After  *PreviewFile // what the new one would have there; nil for nothing
	Fetch  bool         // whether the bytes of After have to be fetched
}
