package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// content measures how fast Ream syncs many small files, how fast it finds out
// that nothing changed, and what many clients of a file on demand cost.
func content(ctx context.Context, b *bench) error {
	const (
		count       = 10_000
		connections = 16 // what a remote has unless told otherwise
	)
	upstream, err := b.makeFiles(count, 4<<10)
	if err != nil {
		return err
	}
	web, err := b.startUpstream(ctx, upstream.dir)
	if err != nil {
		return err
	}
	b.setting("%d connections on both sides; curl checks no digests and does not wait for the disk, Ream does both", connections)
	return b.eachDatabase(func(d database) error {
		var took, cpu, memory, again, peerTook, peerCPU sample
		err := b.turns(ctx, b.few(7, 3),
			func() error {
				s, err := b.syncAnew(ctx, d, web.address, connections)
				if err != nil {
					return err
				}
				took.addDuration(s.took)
				cpu.addDuration(s.cpu)
				again.addDuration(s.again)
				memory.add(s.memory)
				b.progress("%s: synced in %s", d, inSeconds(s.took.Seconds()))
				return nil
			},
			func() error {
				syscall.Sync()
				c, err := b.curl(ctx, web.address, upstream, connections)
				if err != nil {
					return err
				}
				peerTook.addDuration(c.took)
				peerCPU.addDuration(c.cpu)
				b.progress("%s: curl fetched in %s", d, inSeconds(c.took.Seconds()))
				return nil
			})
		if err != nil {
			return err
		}
		b.add(row{measure: fmt.Sprintf("sync of %s files of 4 KiB, %s", whole(count), d), unit: inSeconds, ream: took, peer: "curl", than: peerTook, goals: []goal{atMost(1.5), atMost(1.2)}})
		b.add(row{measure: fmt.Sprintf("… its processor time, %s", d), unit: inSeconds, ream: cpu, peer: "curl", than: peerCPU})
		b.add(row{measure: fmt.Sprintf("… its peak memory, %s", d), unit: inBytes, ream: memory, peer: "limit", than: sample{150e6}, goals: []goal{atMost(1)}})
		b.add(row{measure: fmt.Sprintf("sync again, nothing changed, %s", d), unit: inSeconds, ream: again, peer: "limit", than: sample{0.2}, goals: []goal{atMost(1)}})
		return b.onDemand(ctx, d)
	})
}

// synced is a sync of all files by a server that has none of them.
type synced struct {
	took, cpu time.Duration
	again     time.Duration // the sync after it, which finds nothing new
	memory    float64       // the most that the server ever held, in bytes
	dir       string        // where the server kept everything
}

func (b *bench) syncAnew(ctx context.Context, d database, upstream string, connections int, flags ...string) (s synced, err error) {
	const name = "files"
	r, err := b.startReam(ctx, d, flags...)
	if err != nil {
		return s, err
	}
	s.dir = r.dir
	if err := r.createRepository(ctx, name, upstream+"/PULP_MANIFEST", connections); err != nil {
		return s, err
	}
	syscall.Sync() // what was written before is on disk: nobody pays for another
	before, err := r.cpu()
	if err != nil {
		return s, err
	}
	if s.took, err = r.sync(ctx, name); err != nil {
		return s, err
	}
	after, err := r.cpu()
	if err != nil {
		return s, err
	}
	s.cpu = after - before
	if s.again, err = r.sync(ctx, name); err != nil {
		return s, err
	}
	switch n, err := r.versions(ctx, name); {
	case err != nil:
		return s, err
	case n != 1:
		return s, fmt.Errorf("two syncs of the same files made %d versions", n)
	}
	if s.memory, err = r.peak(); err != nil {
		return s, err
	}
	if err := r.stop(); err != nil || d != postgres {
		return s, err
	}
	return s, b.dropDatabase(ctx, r.database)
}
