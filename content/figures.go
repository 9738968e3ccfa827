package content

import "time"

// Figures are what a repository takes of the storage.
type Figures struct {
	Artifacts   int64 // distinct ones that its versions and publications name
	OwnBytes    int64 // of those that no other repository names
	SharedBytes int64 // of those that others name, too
	CountedAt   time.Time
}

// Storage is what there is in the storage, by the database's word.
type Storage struct {
	Artifacts            int64
	Bytes                int64
	OrphanedArtifacts    int64 // that nothing names
	OrphanedBytes        int64
	QuarantinedArtifacts int64 // whose bytes were damaged or missing, and were not got again yet
	UnfetchedArtifacts   int64 // that versions name, but are got only once a client asks
	UnfetchedBytes       int64
	CountedAt            time.Time
}
