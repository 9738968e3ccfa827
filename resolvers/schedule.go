package resolvers

import (
	"cmp"
	"context"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/event"
	"ream/graph"
	"ream/task"
)

func (r *mutationResolver) CreateSchedule(ctx context.Context, input graph.CreateScheduleInput) (*task.Schedule, error) {
	o, err := operation(input.Operation)
	if err != nil {
		return nil, err
	}
	return r.Catalog.CreateSchedule(ctx, catalog.ScheduleInput{
		Name:      input.Name,
		Cron:      input.Cron,
		TimeZone:  input.TimeZone,
		Operation: *o,
		Paused:    input.Paused,
	})
}

func (r *mutationResolver) UpdateSchedule(ctx context.Context, input graph.UpdateScheduleInput) (*task.Schedule, error) {
	id, err := knownID[task.ScheduleID]("schedule", input.ID)
	if err != nil {
		return nil, err
	}
	o, err := operation(input.Operation)
	if err != nil {
		return nil, err
	}
	return r.Catalog.UpdateSchedule(ctx, id, catalog.ScheduleChange{
		Name:      input.Name,
		Cron:      input.Cron,
		TimeZone:  input.TimeZone,
		Operation: o,
		Paused:    input.Paused,
	})
}

func (r *mutationResolver) DeleteSchedule(ctx context.Context, id string) (*task.Schedule, error) {
	key, err := knownID[task.ScheduleID]("schedule", id)
	if err != nil {
		return nil, err
	}
	return r.Catalog.DeleteSchedule(ctx, key)
}

func (r *mutationResolver) FireSchedule(ctx context.Context, id string) (task.Work, error) {
	key, err := knownID[task.ScheduleID]("schedule", id)
	if err != nil {
		return nil, err
	}
	return r.Catalog.FireSchedule(ctx, key)
}

func (r *queryResolver) Schedule(ctx context.Context, id *string, name *string) (*task.Schedule, error) {
	if err := either(id, name, "name"); err != nil {
		return nil, err
	}
	if id != nil {
		return find(ctx, schedulesByID, "schedule", *id)
	}
	return absentIsNull(r.store(ctx).ScheduleByName(ctx, *name))
}

func (r *queryResolver) Schedules(ctx context.Context, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Schedule], error) {
	return list(ctx, r.store(ctx).Schedules, first, after, last, before)
}

func (r *scheduleResolver) Operation(ctx context.Context, obj *task.Schedule) (graph.ScheduledOperation, error) {
	o, err := catalog.ParseOperation(obj)
	switch {
	case err != nil:
		return nil, err
	case o.Sync != nil:
		return graph.ScheduledSync{Repositories: selection(o.Sync.Repositories), Mirror: o.Sync.Mirror, OnError: cmp.Or(o.Sync.OnError, content.Fail), DryRun: o.Sync.DryRun, Priority: o.Sync.Priority, MaxRunning: optional(int32(o.Sync.MaxRunning))}, nil
	case o.Publish != nil:
		return graph.ScheduledPublish{Repositories: selection(o.Publish.Repositories), Version: optional(int32(o.Publish.Version)), Priority: o.Publish.Priority, MaxRunning: optional(int32(o.Publish.MaxRunning))}, nil
	case o.Mirror != nil:
		return graph.ScheduledMirror{Repositories: selection(o.Mirror.Repositories), Path: optional(o.Mirror.Path), Mirror: o.Mirror.Mirror, OnError: cmp.Or(o.Mirror.OnError, content.Fail), Priority: o.Mirror.Priority, MaxRunning: optional(int32(o.Mirror.MaxRunning))}, nil
	case o.CleanOrphans != nil:
		return graph.ScheduledCleanOrphans{GraceHours: int32(o.CleanOrphans.GraceHours), Priority: o.CleanOrphans.Priority}, nil
	case o.VerifyContent != nil:
		v := graph.ScheduledVerifyContent{Priority: o.VerifyContent.Priority, MaxRunning: optional(int32(o.VerifyContent.MaxRunning))}
		if o.VerifyContent.Repositories != nil {
			v.Of = selection(*o.VerifyContent.Repositories)
		}
		return v, nil
	default:
		return graph.ScheduledPurge{OlderThanDays: int32(o.Purge.OlderThanDays), Priority: o.Purge.Priority}, nil
	}
}

func (r *scheduleResolver) Upcoming(ctx context.Context, obj *task.Schedule, first int32) ([]*time.Time, error) {
	n, err := pageSize("first", &first)
	if err != nil {
		return nil, err
	}
	times, err := obj.Times()
	if err != nil {
		return nil, err
	}
	var upcoming []*time.Time
	for _, at := range times.Upcoming(r.Now(), n) {
		upcoming = append(upcoming, &at)
	}
	return upcoming, nil
}

func (r *scheduleResolver) LastWork(ctx context.Context, obj *task.Schedule) (task.Work, error) {
	n, err := startNode(ctx, obj.LastWork)()
	work, _ := n.(task.Work)
	return work, err
}

func (r *subscriptionResolver) Schedules(ctx context.Context, first *int32, after *string, last *int32, before *string) (<-chan *graph.Connection[*task.Schedule], error) {
	return again(ctx, r.Hub, event.Schedules, func() (*graph.Connection[*task.Schedule], error) {
		return r.Query().Schedules(ctx, first, after, last, before)
	})
}

func (r *Resolver) Schedule() graph.ScheduleResolver { return &scheduleResolver{r} }

type scheduleResolver struct{ *Resolver }
