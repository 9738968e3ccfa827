package resolvers

import (
	"cmp"

	"ream/catalog"
	"ream/fault"
	"ream/graph"
)

func syncRequest(in graph.SyncInput) (catalog.SyncRequest, error) {
	repositories, wrong := selector(in.Repositories)
	maxRunning, err := limit(in.MaxRunning)
	return catalog.SyncRequest{
		Repositories:   repositories,
		Mirror:         in.Mirror,
		OnError:        in.OnError,
		DryRun:         in.DryRun,
		Priority:       in.Priority,
		MaxRunning:     maxRunning,
		IdempotencyKey: value(in.IdempotencyKey),
	}, cmp.Or(wrong, err)
}

func publishRequest(in graph.PublishInput) (catalog.PublishRequest, error) {
	repositories, wrong := selector(in.Repositories)
	maxRunning, err := limit(in.MaxRunning)
	if in.Version != nil && *in.Version < 1 {
		err = fault.Input("version", "%d is no version: they are numbered 1, 2, …", *in.Version)
	}
	return catalog.PublishRequest{
		Repositories:   repositories,
		Version:        int(value(in.Version)),
		Priority:       in.Priority,
		MaxRunning:     maxRunning,
		IdempotencyKey: value(in.IdempotencyKey),
	}, cmp.Or(wrong, err)
}

func mirrorRequest(in graph.MirrorInput) (catalog.MirrorRequest, error) {
	repositories, wrong := selector(in.Repositories)
	maxRunning, err := limit(in.MaxRunning)
	return catalog.MirrorRequest{
		Repositories:   repositories,
		Path:           value(in.Path),
		Mirror:         in.Mirror,
		OnError:        in.OnError,
		Priority:       in.Priority,
		MaxRunning:     maxRunning,
		IdempotencyKey: value(in.IdempotencyKey),
	}, cmp.Or(wrong, err)
}

func purgeRequest(in graph.PurgeInput) catalog.PurgeRequest {
	return catalog.PurgeRequest{
		OlderThanDays:  int(in.OlderThanDays),
		Priority:       in.Priority,
		IdempotencyKey: value(in.IdempotencyKey),
	}
}

func cleanOrphansRequest(in graph.CleanOrphansInput) catalog.CleanOrphansRequest {
	return catalog.CleanOrphansRequest{
		GraceHours:     int(in.GraceHours),
		Priority:       in.Priority,
		IdempotencyKey: value(in.IdempotencyKey),
	}
}

func verifyContentRequest(in graph.VerifyContentInput) (catalog.VerifyContentRequest, error) {
	maxRunning, err := limit(in.MaxRunning)
	request := catalog.VerifyContentRequest{
		Priority:       in.Priority,
		MaxRunning:     maxRunning,
		IdempotencyKey: value(in.IdempotencyKey),
	}
	if in.Repositories != nil {
		repositories, wrong := selector(in.Repositories)
		request.Repositories, err = &repositories, cmp.Or(wrong, err)
	}
	return request, err
}

// operation decodes what a schedule queues; nil if nothing is given.
func operation(in *graph.ScheduledOperationInput) (*catalog.Operation, error) {
	if in == nil {
		return nil, nil
	}
	if err := fault.ExactlyOne("operation", "sync, publish, mirror, purge, cleanOrphans and verifyContent", in.Sync != nil, in.Publish != nil, in.Mirror != nil, in.Purge != nil,
		in.CleanOrphans != nil, in.VerifyContent != nil); err != nil {
		return nil, err
	}
	var (
		o    catalog.Operation
		name string
		key  *string
		err  error
	)
	switch {
	case in.Sync != nil:
		o.Sync = new(catalog.SyncRequest)
		*o.Sync, err = syncRequest(*in.Sync)
		name, key = "sync", in.Sync.IdempotencyKey
	case in.Publish != nil:
		o.Publish = new(catalog.PublishRequest)
		*o.Publish, err = publishRequest(*in.Publish)
		name, key = "publish", in.Publish.IdempotencyKey
	case in.Mirror != nil:
		o.Mirror = new(catalog.MirrorRequest)
		*o.Mirror, err = mirrorRequest(*in.Mirror)
		name, key = "mirror", in.Mirror.IdempotencyKey
	case in.CleanOrphans != nil:
		o.CleanOrphans = new(cleanOrphansRequest(*in.CleanOrphans))
		name, key = "cleanOrphans", in.CleanOrphans.IdempotencyKey
	case in.VerifyContent != nil:
		o.VerifyContent = new(catalog.VerifyContentRequest)
		*o.VerifyContent, err = verifyContentRequest(*in.VerifyContent)
		name, key = "verifyContent", in.VerifyContent.IdempotencyKey
	default:
		o.Purge = new(purgeRequest(*in.Purge))
		name, key = "purge", in.Purge.IdempotencyKey
	}
	if err == nil && key != nil {
		err = fault.Input("idempotencyKey", "each firing is a request of its own: leave it out")
	}
	return &o, fault.Within("operation."+name, err)
}

// selection is a selector as a client gave it.
func selection(s catalog.Selector) *graph.RepositorySelection {
	out := &graph.RepositorySelection{Names: s.Names, Labels: s.Labels, All: optional(s.All)}
	if s.IDs != nil {
		out.Ids = make([]string, len(s.IDs))
		for i, id := range s.IDs {
			out.Ids[i] = id.String()
		}
	}
	return out
}
