package resolvers

import (
	"context"
	"math"
	"time"

	"ream/access"
	"ream/content"
	"ream/event"
	"ream/graph"
	"ream/page"
	"ream/task"
)

func (r *mutationResolver) Cancel(ctx context.Context, id string) (task.Work, error) {
	if key, err := task.ParseGroupID(id); err == nil {
		return workOf(r.Catalog.CancelGroup(ctx, key))
	}
	key, err := knownID[task.ID]("task", id)
	if err != nil {
		return nil, err
	}
	return workOf(r.Catalog.CancelTask(ctx, key))
}

func (r *mutationResolver) Retry(ctx context.Context, id string) (task.Work, error) {
	if key, err := task.ParseGroupID(id); err == nil {
		return workOf(r.Catalog.RetryGroup(ctx, key))
	}
	key, err := knownID[task.ID]("task", id)
	if err != nil {
		return nil, err
	}
	return workOf(r.Catalog.RetryTask(ctx, key))
}

func (r *progressResolver) BytesPerSecond(ctx context.Context, obj *task.Progress) (int64, error) {
	return obj.BytesPerSecond(r.Now()), nil
}

func (r *progressResolver) RemainingSeconds(ctx context.Context, obj *task.Progress) (*int64, error) {
	remaining, known := obj.Remaining(r.Now())
	if !known {
		return nil, nil
	}
	return new(int64(remaining.Round(time.Second) / time.Second)), nil
}

func (r *queryResolver) Task(ctx context.Context, id string) (*task.Task, error) {
	return find(ctx, tasksByID, "task", id)
}

func (r *queryResolver) Tasks(ctx context.Context, filter *graph.TaskFilter, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	return r.tasks(ctx, newestBy(filter), first, after, last, before)
}

func (r *queryResolver) TaskGroup(ctx context.Context, id string) (*task.Group, error) {
	return find(ctx, groupsByID, "group", id)
}

func (r *queryResolver) TaskGroups(ctx context.Context, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Group], error) {
	return list(ctx, r.store(ctx).Groups, first, after, last, before)
}

func (r *queryResolver) TaskOrGroup(ctx context.Context, id string) (task.Work, error) {
	n, err := startNode(ctx, id)()
	work, _ := n.(task.Work)
	return work, err
}

func (r *queryResolver) TaskGroupCounts(ctx context.Context, id string) (*task.Counts, error) {
	group, err := find(ctx, groupsByID, "group", id)
	if group == nil {
		return nil, err
	}
	return group.Counts(), nil
}

func (r *queryResolver) Queue(ctx context.Context) (*task.Queue, error) {
	return r.store(ctx).Queue(ctx)
}

func (r *queueResolver) Throughput(ctx context.Context, obj *task.Queue) (*graph.Throughput, error) {
	samples, err := r.store(ctx).Samples(ctx)
	return &graph.Throughput{PerSecond: obj.PerSecond, Samples: samples}, err
}

func (r *queueResolver) Tasks(ctx context.Context, obj *task.Queue, filter *graph.TaskFilter, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	return r.Query().Tasks(ctx, filter, first, after, last, before)
}

func (r *queueResolver) TaskGroups(ctx context.Context, obj *task.Queue, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Group], error) {
	return r.Query().TaskGroups(ctx, first, after, last, before)
}

func (r *reservationResolver) Holders(ctx context.Context, obj *task.Reservation) ([]*task.Task, error) {
	return resourceHolders.load(ctx, obj.Resource)
}

func (r *subscriptionResolver) Task(ctx context.Context, id string) (<-chan *task.Task, error) {
	key, err := knownID[task.ID]("task", id)
	if err != nil {
		return nil, err
	}
	return follow(ctx, r.Hub, event.Topic(key.String()), as[*task.Task])
}

func (r *subscriptionResolver) TaskGroup(ctx context.Context, id string) (<-chan *task.Group, error) {
	key, err := knownID[task.GroupID]("group", id)
	if err != nil {
		return nil, err
	}
	return follow(ctx, r.Hub, event.Topic(key.String()), as[*task.Group])
}

func (r *subscriptionResolver) TaskOrGroup(ctx context.Context, id string) (<-chan task.Work, error) {
	if key, err := task.ParseGroupID(id); err == nil {
		return follow(ctx, r.Hub, event.Topic(key.String()), as[task.Work])
	}
	key, err := knownID[task.ID]("task", id)
	if err != nil {
		return nil, err
	}
	return follow(ctx, r.Hub, event.Topic(key.String()), as[task.Work])
}

func (r *subscriptionResolver) TaskGroupCounts(ctx context.Context, id string) (<-chan *task.Counts, error) {
	key, err := knownID[task.GroupID]("group", id)
	if err != nil {
		return nil, err
	}
	return follow(ctx, r.Hub, event.Topic(key.String()), changedCounts())
}

func (r *subscriptionResolver) Queue(ctx context.Context) (<-chan *task.Queue, error) {
	if access.CallerOf(ctx).Limit != "" { // what is followed is the whole
		return again(ctx, r.Hub, event.Repositories, func() (*task.Queue, error) { return r.store(ctx).Queue(ctx) })
	}
	return follow(ctx, r.Hub, event.Queue, as[*task.Queue])
}

func (r *taskResolver) Group(ctx context.Context, obj *task.Task) (*task.Group, error) {
	return reference(ctx, groupsByID, obj.GroupID)
}

func (r *taskResolver) Parent(ctx context.Context, obj *task.Task) (*task.Task, error) {
	return reference(ctx, tasksByID, obj.ParentID)
}

func (r *taskResolver) RetryOf(ctx context.Context, obj *task.Task) (*task.Task, error) {
	return reference(ctx, tasksByID, obj.RetryOf)
}

func (r *taskResolver) Retries(ctx context.Context, obj *task.Task, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	return tasksOf(ctx, task.RetryOf, int64(obj.ID), nil, nil, first, after, last, before)
}

func (r *taskResolver) Spawned(ctx context.Context, obj *task.Task, finished *bool, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	return tasksOf(ctx, task.SpawnedBy, int64(obj.ID), nil, finished, first, after, last, before)
}

func (r *taskResolver) BlockedBy(ctx context.Context, obj *task.Task, first *int32, after *string) (*graph.Connection[*task.Task], error) {
	read := func(ctx context.Context, p page.Request) (*page.Of[*task.Task], error) {
		return r.store(ctx).BlockedBy(ctx, obj.ID, p)
	}
	return list(ctx, read, first, after, nil, nil)
}

func (r *taskResolver) Ahead(ctx context.Context, obj *task.Task) (int32, error) {
	if obj.State != task.Waiting {
		return 0, nil
	}
	n, err := tasksAhead.load(ctx, obj.ID)
	return int32(min(n, math.MaxInt32)), err
}

func (r *taskResolver) Reservations(ctx context.Context, obj *task.Task) ([]*task.Reservation, error) {
	return taskReservations.load(ctx, obj.ID)
}

func (r *taskResolver) Reports(ctx context.Context, obj *task.Task) ([]*task.Report, error) {
	return taskReports.load(ctx, obj.ID)
}

func (r *taskResolver) Created(ctx context.Context, obj *task.Task) ([]graph.CreatedResource, error) {
	return createdBy(ctx, obj.ID)
}

func (r *taskResolver) Failures(ctx context.Context, obj *task.Task, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Failure], error) {
	return listOf(ctx, taskFailures, obj.ID, first, after, last, before)
}

func (r *taskResolver) Preview(ctx context.Context, obj *task.Task) (*content.Preview, error) {
	return taskPreview.load(ctx, obj.ID)
}

func (r *taskResolver) Worker(ctx context.Context, obj *task.Task) (*task.Worker, error) {
	if obj.State != task.Running && obj.State != task.Canceling {
		return nil, nil
	}
	return reference(ctx, workersByID, obj.WorkerID)
}

func (r *taskGroupResolver) MaxRunning(ctx context.Context, obj *task.Group) (*int32, error) {
	if obj.MaxRunning == 0 {
		return nil, nil
	}
	return new(int32(obj.MaxRunning)), nil
}

func (r *taskGroupResolver) RetryOf(ctx context.Context, obj *task.Group) (*task.Group, error) {
	return reference(ctx, groupsByID, obj.RetryOf)
}

func (r *taskGroupResolver) Retries(ctx context.Context, obj *task.Group, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Group], error) {
	return listOf(ctx, groupRetries, obj.ID, first, after, last, before)
}

func (r *taskGroupResolver) Tasks(ctx context.Context, obj *task.Group, state []task.State, finished *bool, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	return tasksOf(ctx, task.MemberOf, int64(obj.ID), state, finished, first, after, last, before)
}

func (r *workerResolver) Tasks(ctx context.Context, obj *task.Worker, first *int32, after *string) (*graph.Connection[*task.Task], error) {
	return tasksOf(ctx, task.RunBy, int64(obj.ID), nil, nil, first, after, nil, nil)
}

func (r *Resolver) Progress() graph.ProgressResolver { return &progressResolver{r} }

func (r *Resolver) Queue() graph.QueueResolver { return &queueResolver{r} }

func (r *Resolver) Reservation() graph.ReservationResolver { return &reservationResolver{r} }

func (r *Resolver) Task() graph.TaskResolver { return &taskResolver{r} }

func (r *Resolver) TaskGroup() graph.TaskGroupResolver { return &taskGroupResolver{r} }

func (r *Resolver) Worker() graph.WorkerResolver { return &workerResolver{r} }

type (
	progressResolver    struct{ *Resolver }
	queueResolver       struct{ *Resolver }
	reservationResolver struct{ *Resolver }
	taskResolver        struct{ *Resolver }
	taskGroupResolver   struct{ *Resolver }
	workerResolver      struct{ *Resolver }
)
