package resolvers

import (
	"context"
	"errors"

	"ream/event"
	"ream/graph"
	"ream/page"
	"ream/task"
)

// followingKey is the context's key of what a subscription follows.
type followingKey struct{}

// following is a topic that a subscription follows, snapshot by snapshot. One
// that nobody passes on is not executed. It is for one goroutine.
type following struct {
	// await waits for the next snapshot that the subscription takes. It is nil
	// after the final one, or when ctx ends.
	await func(ctx context.Context) event.Snapshot
	// pass hands the snapshot that was awaited to the execution.
	pass func()
}

// follow gives the execution what pick takes of a topic's snapshots, as the
// following in the context passes them on. The channel is closed after the
// final snapshot, or when ctx ends.
func follow[T any](ctx context.Context, hub Hub, topic event.Topic, pick func(event.Snapshot) (T, bool)) (<-chan T, error) {
	f, ok := ctx.Value(followingKey{}).(*following)
	if !ok {
		return nil, errors.New("a subscription is executed without sharing.around")
	}
	snapshots, err := hub.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan T, 1)
	var next T
	f.await = func(ctx context.Context) event.Snapshot {
		for {
			select {
			case <-ctx.Done():
			case s, open := <-snapshots:
				if open {
					var wanted bool
					if next, wanted = pick(s); wanted {
						return s
					}
					continue
				}
			}
			close(out)
			return nil
		}
	}
	f.pass = func() { out <- next }
	return out, nil
}

// as takes each snapshot for what it is.
func as[T any](s event.Snapshot) (T, bool) {
	v, ok := s.(T)
	return v, ok
}

// changedCounts takes the counts of a group's snapshots, without those that
// say nothing new: a group also changes while its counts stay. The final
// snapshot is always taken.
func changedCounts() func(event.Snapshot) (*task.Counts, bool) {
	var last *task.Counts
	return func(s event.Snapshot) (*task.Counts, bool) {
		group, ok := s.(*task.Group)
		if !ok {
			return nil, false
		}
		counts := group.Counts()
		if last != nil && counts.Revision == last.Revision && !group.Finished() {
			return nil, false
		}
		last = counts
		return counts, true
	}
}

// newestBy is a filter that a client gave, of a list with the newest first.
func newestBy(filter *graph.TaskFilter) task.Filter {
	f := task.Filter{Newest: true}
	if filter != nil {
		f.States, f.Finished, f.Kind = filter.States, filter.Finished, task.Kind(value(filter.Kind))
	}
	return f
}

// tasks reads a page of the tasks that a filter selects.
func (r *Resolver) tasks(ctx context.Context, f task.Filter, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	read := func(ctx context.Context, p page.Request) (*page.Of[*task.Task], error) {
		return r.store(ctx).Tasks(ctx, f, p)
	}
	return list(ctx, read, first, after, last, before)
}

// tasksOf reads a page of the tasks that are something to an owner, of those
// that a filter selects.
func tasksOf(ctx context.Context, relation task.Relation, owner int64, states []task.State, finished *bool,
	first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	return listOf(ctx, tasksOfOwner, taskOwner{relation, owner, filterKeyOf(task.Filter{States: states, Finished: finished})}, first, after, last, before)
}

// createdBy loads what a task made. What was deleted since is left out.
func createdBy(ctx context.Context, id task.ID) ([]graph.CreatedResource, error) {
	records, err := taskCreated.load(ctx, id)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(records))
	for i, record := range records {
		ids[i] = record.NodeID
	}
	nodes, err := loadNodes(ctx, ids)
	if err != nil {
		return nil, err
	}
	created := make([]graph.CreatedResource, 0, len(nodes))
	for _, n := range nodes {
		if n != nil {
			created = append(created, n)
		}
	}
	return created, nil
}

// workOf keeps a nil pointer from becoming work that is not nil.
func workOf[W interface {
	comparable
	task.Work
}](w W, err error) (task.Work, error) {
	var none W
	if err != nil || w == none {
		return nil, err
	}
	return w, nil
}
