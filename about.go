package main

import (
	"strings"

	"ream/db"
	"ream/graph"
	"ream/resolvers"
)

// about is what the API tells of a process that starts now. It has no addresses
// and no paths.
func about(o options, store *db.DB, limits resolvers.Limits) graph.Server {
	database, storage := graph.DatabaseKindPostgresql, graph.StorageKindDisk
	if store.SingleProcess() {
		database = graph.DatabaseKindSQLIte
	}
	if strings.Contains(o.storage, "://") {
		storage = graph.StorageKindS3
	}
	return graph.Server{Version: version, StartedAt: store.Now(), Database: &database, Storage: &storage, Limits: limits.Told()}
}
