package db

import "time"

// Pool is the state of a pool of connections.
type Pool struct {
	Name   string // "readers" and "writer" on SQLite, "all" on PostgreSQL
	Limit  int    // how many connections there may be
	Open   int    // connections
	InUse  int    // of those
	Waits  int64  // how often somebody had to wait for a connection since the start
	Waited time.Duration
}

// Pools tells the state of the pools.
func (db *DB) Pools() []Pool {
	names := []string{"writer", "readers"}
	if db.writer == db.readers {
		names = []string{"all"}
	}
	pools := make([]Pool, len(names))
	for i, name := range names {
		pool := db.writer
		if name == "readers" {
			pool = db.readers
		}
		s := pool.Stats()
		pools[i] = Pool{Name: name, Limit: s.MaxOpenConnections, Open: s.OpenConnections, InUse: s.InUse, Waits: s.WaitCount, Waited: s.WaitDuration}
	}
	return pools
}
