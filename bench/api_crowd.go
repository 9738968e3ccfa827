package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// crowds measures one group that changes all the time with a crowd that follows
// it, and then with clients that never read among them.
func crowds(ctx context.Context, b *bench) error {
	subscribers, tasks := b.few(10_000, 1000), b.few(100_000, 8000)
	of := fmt.Sprintf("%s subscribers of a group of %s", whole(subscribers), whole(tasks))
	b.setting("subscribers of a group: %d different documents; its tasks take %s each, %s at once, in a process of their own", len(following), slowTask, whole(slowSlots))
	alone, err := b.crowd(ctx, subscribers, 0, tasks)
	if err != nil {
		return err
	}
	n := sample{float64(subscribers)}
	b.add(row{measure: of + ": the final frame exactly once", unit: perCount, ream: sample{float64(alone.exact)}, peer: "all", than: n, goals: []goal{atLeast(1)}})
	b.add(row{measure: "… 99 of 100 have it after the last commit within", unit: inSeconds, ream: sample{alone.slow}, peer: "limit", than: sample{1}, goals: []goal{atMost(1)}})
	b.add(row{measure: "… the last one", unit: inSeconds, ream: sample{alone.slowest}})
	b.add(row{measure: "… processor time of the server for each frame", unit: inSeconds, ream: sample{alone.cpu}, peer: "limit", than: sample{25e-6}, goals: []goal{atMost(1)}})
	b.add(row{measure: "… frames a second and subscriber", unit: perSecond, ream: sample{alone.rate}})
	b.add(row{measure: "… frames that newer ones replaced, of all", unit: inPercent, ream: sample{alone.conflated}})
	b.add(row{measure: "… memory for each, before it begins", unit: inBytes, ream: sample{alone.memory}})
	b.add(row{measure: "… memory for each, at most", unit: inBytes, ream: sample{alone.peak}})
	deaf := subscribers / 10
	beside, err := b.crowd(ctx, subscribers-deaf, deaf, tasks)
	if err != nil {
		return err
	}
	among := fmt.Sprintf("… with %s that never read among them", whole(deaf))
	b.add(row{measure: among + ": 99 of 100 within", unit: inSeconds, ream: sample{beside.slow}, peer: "without", than: sample{alone.slow}, goals: []goal{atMost(1.2)}})
	b.add(row{measure: "… the final frame exactly once", unit: perCount, ream: sample{float64(beside.exact)}, peer: "the others", than: sample{float64(subscribers - deaf)}, goals: []goal{atLeast(1)}})
	b.add(row{measure: "… disconnected, since they took nothing", unit: perCount, ream: sample{beside.cut}, peer: "all of those", than: sample{float64(deaf)}})
	b.add(row{measure: "… memory for each, at most", unit: inBytes, ream: sample{beside.peak}, peer: "without", than: sample{alone.peak}, goals: []goal{atMost(1.2)}})
	return nil
}

// crowded is what a crowd saw, and what it cost.
type crowded struct {
	exact         int     // subscribers that got one final frame, at last
	slow, slowest float64 // seconds from the last commit to the final frame
	cpu           float64 // seconds of the server for each frame
	rate          float64 // frames a second and subscriber
	conflated     float64 // part of the frames
	memory, peak  float64 // bytes for each subscriber
	cut           float64 // clients that were disconnected since they took nothing
}

// crowd lets subscribers follow a group of tasks to its end, and deaf ones
// subscribe that never read.
func (b *bench) crowd(ctx context.Context, subscribers, deaf, tasks int) (c crowded, err error) {
	s, err := b.newShow(ctx)
	if err != nil {
		return c, err
	}
	ids, err := s.queue(ctx, 1, tasks)
	if err != nil {
		return c, err
	}
	empty, err := s.resident()
	if err != nil {
		return c, err
	}
	all, err := s.gather(ctx, subscribers, func(int) string { return ids[0] })
	if err != nil {
		return c, err
	}
	defer all.leave()
	for range deaf {
		conn, err := s.call(ctx, 4<<10)
		if err != nil {
			return c, err
		}
		defer conn.Close()
		if err := subscribeTo(conn, unread, ids[0]); err != nil {
			return c, err
		}
	}
	b.progress("%s subscribers are there", whole(subscribers+deaf))
	full, err := s.resident()
	if err != nil {
		return c, err
	}
	before, err := s.metrics(ctx)
	if err != nil {
		return c, err
	}
	spent, err := s.cpu()
	if err != nil {
		return c, err
	}
	wait := all.follow()
	began := time.Now()
	if err := s.begin(); err != nil {
		return c, err
	}
	if err := wait(); err != nil {
		return c, err
	}
	took := time.Since(began).Seconds()
	spentThen, err := s.cpu()
	if err != nil {
		return c, err
	}
	after, err := s.metrics(ctx)
	if err != nil {
		return c, err
	}
	peak, err := s.peak()
	if err != nil {
		return c, err
	}
	last, err := s.stop()
	if err != nil {
		return c, err
	}
	of := func(name string) float64 { return after[name] - before[name] }
	delays := sample{}
	for _, one := range all {
		if one.finals == 1 {
			c.exact++
		}
		delays.add(one.at.Sub(last).Seconds())
	}
	slices.Sort(delays)
	c.slow, c.slowest = delays[len(delays)*99/100], delays[len(delays)-1]
	c.cpu = (spentThen - spent).Seconds() / of("ream_subscription_frames_total")
	c.rate = of("ream_subscription_frames_total") / float64(subscribers+deaf) / took
	c.conflated = of("ream_subscription_frames_conflated_total") / (of("ream_subscription_frames_conflated_total") + of("ream_subscription_frames_total"))
	people := float64(subscribers + deaf)
	c.memory, c.peak = (full-empty)/people, (peak-empty)/people
	c.cut = after["ream_subscriber_write_timeouts_total"]
	return c, nil
}

// manyGroups measures how often the server reads groups that all change, with
// few and with many subscribers.
func manyGroups(ctx context.Context, b *bench) error {
	groups, tasks := b.few(1000, 200), b.few(20, 10)
	run := func(each int) (reads float64, err error) {
		s, err := b.newShow(ctx)
		if err != nil {
			return 0, err
		}
		ids, err := s.queue(ctx, groups, tasks)
		if err != nil {
			return 0, err
		}
		all, err := s.gather(ctx, groups*each, func(i int) string { return ids[i%groups] })
		if err != nil {
			return 0, err
		}
		defer all.leave()
		before, err := s.metrics(ctx)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		wait := all.follow()
		if err := s.begin(); err != nil {
			return 0, err
		}
		if err := wait(); err != nil {
			return 0, err
		}
		ticks := time.Since(began).Seconds() / tick.Seconds()
		after, err := s.metrics(ctx)
		if err != nil {
			return 0, err
		}
		_, err = s.stop()
		return (after["ream_hub_topics_read_total"] - before["ream_hub_topics_read_total"]) / float64(groups) / ticks, err
	}
	var one, ten sample
	if err := b.turns(ctx, b.few(3, 1),
		func() error { reads, err := run(1); one.add(reads); return err },
		func() error { reads, err := run(10); ten.add(reads); return err },
	); err != nil {
		return err
	}
	b.add(row{measure: fmt.Sprintf("%s groups with 10 subscribers each: reads of a group in %s", whole(groups), tick), unit: perCount, ream: ten, peer: "limit", than: sample{1}, goals: []goal{atMost(1)}})
	b.add(row{measure: "… beside one subscriber each", unit: perCount, ream: ten, peer: "one", than: one})
	return nil
}

// tick is how often a server reads what changes, at most: --frame-interval.
const tick = 250 * time.Millisecond
