package rest

import (
	"context"
	"net/http"
	"strings"

	"ream/access"
	"ream/catalog"
	"ream/fault"
	"ream/task"
)

// operation answers a request with the work that it causes, or is about.
func operation[Q any, W task.Work](h *Handler, name string, limited bool, read func(*object) (Q, error), carryOut func(context.Context, Q) (W, error)) answerer {
	return mutation(h, name, limited, read, carryOut, func(w http.ResponseWriter, r *http.Request, work W) error { return h.queued(w, r, work) })
}

// mutation carries out the mutation of that name, for operators, also for those
// who are limited to some repositories if these will do, and records it like that.
func mutation[Q, R any](h *Handler, name string, limited bool, read func(*object) (Q, error), carryOut func(context.Context, Q) (R, error),
	answer func(http.ResponseWriter, *http.Request, R) error) answerer {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := readBody(w, r)
		if err != nil {
			return err
		}
		ctx := access.WithAction(r.Context(), access.NewAction(name, in.given()))
		result, err := func() (result R, err error) {
			if err := access.CallerOf(ctx).Check(access.Operator, limited, name); err != nil {
				return result, err
			}
			if in.key, err = idempotencyKey(r.Header); err != nil {
				return result, err
			}
			request, err := read(in)
			if err != nil {
				return result, err
			}
			return carryOut(ctx, request)
		}()
		if e := h.catalog.RecordOutcome(context.WithoutCancel(ctx), err); e != nil {
			h.o.Log.ErrorContext(ctx, "a mutation is not in the audit log", "operation", name, "outcome", fault.KindOf(err), "error", e)
		}
		if err != nil {
			return err
		}
		return answer(w, r, result)
	}
}

func syncRequest(in *object) (catalog.SyncRequest, error) {
	request := catalog.SyncRequest{
		Repositories:   in.selector(),
		Mirror:         in.bool("mirror", true),
		OnError:        in.onError(),
		DryRun:         in.bool("dryRun", false),
		Priority:       in.priority(),
		MaxRunning:     in.number("maxRunning"),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func publishRequest(in *object) (catalog.PublishRequest, error) {
	request := catalog.PublishRequest{
		Repositories:   in.selector(),
		Version:        in.number("version"),
		Priority:       in.priority(),
		MaxRunning:     in.number("maxRunning"),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func mirrorRequest(in *object) (catalog.MirrorRequest, error) {
	request := catalog.MirrorRequest{
		Repositories:   in.selector(),
		Path:           in.text("path"),
		Mirror:         in.bool("mirror", true),
		OnError:        in.onError(),
		Priority:       in.priority(),
		MaxRunning:     in.number("maxRunning"),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func purgeRequest(in *object) (catalog.PurgeRequest, error) {
	days, given := in.whole("olderThanDays", 0)
	if !given {
		in.fail("olderThanDays", "it is missing: say how many days ago the work finished")
	}
	request := catalog.PurgeRequest{
		OlderThanDays:  days,
		Priority:       in.priority(),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func cleanOrphansRequest(in *object) (catalog.CleanOrphansRequest, error) {
	hours, given := in.whole("graceHours", 1)
	if !given {
		hours = 24
	}
	request := catalog.CleanOrphansRequest{
		GraceHours:     hours,
		Priority:       in.priority(),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func verifyContentRequest(in *object) (catalog.VerifyContentRequest, error) {
	var repositories *catalog.Selector
	if in.has("repositories") {
		repositories = new(in.selector())
	}
	delete(in.fields, "repositories") // null is as good as nothing
	request := catalog.VerifyContentRequest{
		Repositories:   repositories,
		Priority:       in.priority(),
		MaxRunning:     in.number("maxRunning"),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

// workID reads which work a request is about. It needs no idempotency key: to
// cancel twice is to cancel once, and a retry that is unfinished is answered
// again.
func workID(in *object) (string, error) {
	id := in.text("id")
	if id == "" {
		in.fail("id", "want the id of a task or a group: task-12 or group-7")
	}
	return id, in.done()
}

func (h *Handler) cancel(ctx context.Context, id string) (task.Work, error) {
	if group, err := task.ParseGroupID(id); err == nil {
		return h.catalog.CancelGroup(ctx, group)
	}
	one, err := knownTask(id)
	if err != nil {
		return nil, err
	}
	return h.catalog.CancelTask(ctx, one)
}

func (h *Handler) retry(ctx context.Context, id string) (task.Work, error) {
	if group, err := task.ParseGroupID(id); err == nil {
		return h.catalog.RetryGroup(ctx, group)
	}
	one, err := knownTask(id)
	if err != nil {
		return nil, err
	}
	return h.catalog.RetryTask(ctx, one)
}

// idempotencyKey reads the header. It holds a string as structured fields have
// it, in quotes; without them it is taken as well.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	if len(key) >= 2 && strings.HasPrefix(key, `"`) && strings.HasSuffix(key, `"`) {
		key = key[1 : len(key)-1]
	}
	if key == "" || len(values) > 1 {
		return "", fault.Input("idempotencyKey", "want one Idempotency-Key, with a text in it")
	}
	return key, nil
}
