package main

import (
	"context"
	"fmt"
	"runtime"
)

// serve measures how fast Ream serves what it published.
func serve(ctx context.Context, b *bench) error {
	b.setting("wrk: %d threads on the same %d cores, connections kept open on both sides", wrkThreads, runtime.NumCPU())
	// More small files than Ream keeps in memory.
	small, err := b.newShop(ctx, "small", b.few(20_000, 15_000), 1<<10)
	if err != nil {
		return err
	}
	large, err := b.newShop(ctx, "large", 4, 10<<20)
	if err != nil {
		return err
	}
	return b.eachDatabase(func(d database) error {
		r, err := b.startReam(ctx, d)
		if err != nil {
			return err
		}
		for _, s := range []*shop{small, large} {
			if err := r.createRepository(ctx, s.name, s.upstream.address+"/PULP_MANIFEST", 16); err != nil {
				return err
			}
			if _, err := r.mirror(ctx, s.name); err != nil {
				return err
			}
		}
		b.progress("%s: published", d)
		if err := b.serveSmall(ctx, d, r, small); err != nil {
			return err
		}
		if err := b.serveLarge(ctx, d, r, large); err != nil {
			return err
		}
		return r.stop()
	})
}

// shop holds files that Ream and nginx serve.
type shop struct {
	name     string
	paths    []string
	upstream *nginx // where Ream has them from
	peer     *nginx
}

// newShop makes files. The peer serves what curl fetched, so that both sides
// have files that were written as they arrived: the kernel keeps them in
// smaller pieces than files that were written at once, which are sent faster.
func (b *bench) newShop(ctx context.Context, name string, count, size int) (*shop, error) {
	f, err := b.makeFiles(count, size)
	if err != nil {
		return nil, err
	}
	s := &shop{name: name, paths: f.paths}
	if s.upstream, err = b.startUpstream(ctx, f.dir); err != nil {
		return nil, err
	}
	fetched, err := b.curl(ctx, s.upstream.address, f, 16)
	if err != nil {
		return nil, err
	}
	s.peer, err = b.startPeer(ctx, fetched.dir)
	return s, err
}

func (b *bench) serveSmall(ctx context.Context, d database, r *ream, s *shop) error {
	const popular = 1000
	at := "/content/" + s.name + "/"
	l := load{connections: 64, seconds: b.few(4, 2)}
	// So that the first turn need not look up every path in the database.
	if _, err := b.wrk(ctx, r.process, r.address, l.of(at, s.paths)); err != nil {
		return err
	}
	// Many short turns: how fast a machine is for everybody changes within seconds.
	var few, fewPeer, all, allPeer, misses, news results
	l.seconds = 1
	if err := b.turns(ctx, b.few(15, 2),
		func() error { return few.add(b.wrk(ctx, r.process, r.address, l.of(at, s.paths[:popular]))) },
		func() error {
			return fewPeer.add(b.wrk(ctx, s.peer.process, s.peer.address, l.of("/", s.paths[:popular])))
		},
		func() error { return all.add(b.wrk(ctx, r.process, r.address, l.of(at, s.paths))) },
		func() error { return allPeer.add(b.wrk(ctx, s.peer.process, s.peer.address, l.of("/", s.paths))) },
		func() error {
			return misses.add(b.wrk(ctx, r.process, r.address, l.missing(at+"no-", s.paths[:popular])))
		},
		func() error { return news.add(b.wrk(ctx, r.process, r.address, l.missing(at, []string{"000/no-{n}"}))) },
	); err != nil {
		return err
	}
	for _, m := range []struct {
		of          string
		ours, peers results
	}{
		{fmt.Sprintf("%s files of 1 KiB, 64 connections, %s", whole(popular), d), few, fewPeer},
		{fmt.Sprintf("%s files of 1 KiB, 64 connections, %s", whole(len(s.paths)), d), all, allPeer},
	} {
		b.add(row{measure: m.of, unit: perSecond, ream: m.ours.perSecond(), peer: "nginx", than: m.peers.perSecond(), goals: []goal{atLeast(0.6), atLeast(0.8)}})
		b.add(row{measure: fmt.Sprintf("… processor time of a request, %s", d), unit: inSeconds, ream: m.ours.cpu(), peer: "nginx", than: m.peers.cpu(), goals: []goal{atMost(2)}})
		b.add(row{measure: fmt.Sprintf("… 99 of 100 within, %s", d), unit: inSeconds, ream: m.ours.slow(), peer: "nginx", than: m.peers.slow()})
	}
	for _, m := range []struct {
		of   string
		ours results
	}{
		{fmt.Sprintf("404 for %s paths, %s", whole(popular), d), misses},
		{fmt.Sprintf("404 for never the same path, %s", d), news},
	} {
		b.add(row{measure: m.of, unit: perSecond, ream: m.ours.perSecond(), peer: "its hits", than: few.perSecond(), goals: []goal{atLeast(1)}})
		b.add(row{measure: fmt.Sprintf("… processor time of a request, %s", d), unit: inSeconds, ream: m.ours.cpu(), peer: "its hits", than: few.cpu()})
	}
	return nil
}

func (b *bench) serveLarge(ctx context.Context, d database, r *ream, s *shop) error {
	l := load{connections: 8, seconds: b.few(3, 1)}
	var ours, peers results
	if err := b.turns(ctx, b.few(5, 2),
		func() error { return ours.add(b.wrk(ctx, r.process, r.address, l.of("/content/"+s.name+"/", s.paths))) },
		func() error { return peers.add(b.wrk(ctx, s.peer.process, s.peer.address, l.of("/", s.paths))) },
	); err != nil {
		return err
	}
	b.add(row{measure: fmt.Sprintf("files of 10 MiB, 8 connections, %s", d), unit: bytesPerSecond, ream: ours.bytes(), peer: "nginx", than: peers.bytes(), goals: []goal{atLeast(0.95)}})
	b.add(row{measure: fmt.Sprintf("… processor time of a request, %s", d), unit: inSeconds, ream: ours.cpu(), peer: "nginx", than: peers.cpu()})
	return nil
}

// results are what a load got, turn by turn.
type results []answered

func (r *results) add(a answered, err error) error {
	*r = append(*r, a)
	return err
}

func (r results) of(value func(answered) float64) (s sample) {
	for _, a := range r {
		s.add(value(a))
	}
	return s
}

func (r results) perSecond() sample { return r.of(func(a answered) float64 { return a.perSecond }) }
func (r results) bytes() sample     { return r.of(func(a answered) float64 { return a.bytesPerSecond }) }
func (r results) cpu() sample       { return r.of(func(a answered) float64 { return a.cpuPerRequest }) }
func (r results) slow() sample      { return r.of(func(a answered) float64 { return a.slow }) }
