package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ream/event"
	"ream/fault"
	"ream/task"
)

// knownTask reads the id of a task that must exist: whatever is no such id
// names nothing.
func knownTask(id string) (task.ID, error) {
	key, err := task.ParseID(id)
	if err != nil {
		return 0, fault.New(fault.NotFound, "there is no task %.80q: ids look like task-12", id)
	}
	return key, nil
}

func knownGroup(id string) (task.GroupID, error) {
	key, err := task.ParseGroupID(id)
	if err != nil {
		return 0, fault.New(fault.NotFound, "there is no group %.80q: ids look like group-7", id)
	}
	return key, nil
}

func (h *Handler) task(w http.ResponseWriter, r *http.Request) error {
	found, err := h.findTask(r)
	if err != nil {
		return err
	}
	return h.read(w, r, found)
}

// findTask reads the task that the path names.
func (h *Handler) findTask(r *http.Request) (*task.Task, error) {
	id, err := knownTask(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	found, err := h.store(r.Context()).TasksByID(r.Context(), []task.ID{id})
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, missing(id)
	}
	return found[0], nil
}

func (h *Handler) group(w http.ResponseWriter, r *http.Request) error {
	found, err := h.findGroup(r)
	if err != nil {
		return err
	}
	return h.read(w, r, found)
}

// findGroup reads the group that the path names.
func (h *Handler) findGroup(r *http.Request) (*task.Group, error) {
	id, err := knownGroup(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	found, err := h.store(r.Context()).GroupsByID(r.Context(), []task.GroupID{id})
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, missing(id)
	}
	return found[0], nil
}

func missing(id fmt.Stringer) error { return fault.New(fault.NotFound, "there is no %s", id) }

// queued answers with the work of an operation: with 200 if the client waited
// for its end, and else with 202.
func (h *Handler) queued(w http.ResponseWriter, r *http.Request, work task.Work) error {
	status := http.StatusAccepted
	if wait := h.preferredWait(r); wait > 0 {
		if work = h.await(w, r, work, wait, never); work.Finished() {
			status = http.StatusOK
		}
	}
	w.Header().Set("Location", href(work))
	return h.show(w, r, status, work)
}

// read answers with work that was asked for. A client that names the tag of
// what it has, and wants to wait, waits for a change.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, work task.Work) error {
	known := r.Header.Get("If-None-Match")
	if wait := h.preferredWait(r); wait > 0 {
		enough := never
		if known != "" {
			enough = func(work task.Work) bool { return !matches(known, tag(work)) }
		}
		work = h.await(w, r, work, wait, enough)
	}
	w.Header().Set("Cache-Control", "no-cache")
	if matches(known, tag(work)) {
		h.describe(w, work)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return h.show(w, r, http.StatusOK, work)
}

func never(task.Work) bool { return false }

// describe writes the headers that go with work.
func (h *Handler) describe(w http.ResponseWriter, work task.Work) {
	w.Header().Set("Etag", tag(work))
	if !work.Finished() {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(work, h.o.Now())))
	}
}

// show answers with the state of work.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, work task.Work) error {
	var body any
	media := mediaGroup
	switch work := work.(type) {
	case *task.Group:
		body = viewGroup(work, h.o.Now())
	case *task.Task:
		media = mediaTask
		created, err := h.store(r.Context()).Created(r.Context(), []task.ID{work.ID})
		if err != nil {
			return err
		}
		body = viewTask(work, created[0], h.o.Now())
	}
	if best, ok := accepted(r).Best(media, mediaJSON); ok {
		media = best
	}
	h.describe(w, work)
	write(w, r, status, media, body)
	return nil
}

func href(work task.Work) string {
	if g, ok := work.(*task.Group); ok {
		return groupHref(g.ID)
	}
	return taskHref(work.(*task.Task).ID)
}

// The bounds of how many seconds clients are asked to wait before they look
// again.
const (
	soonest = 1
	latest  = 30
)

// retryAfter is for how many seconds to wait before looking at unfinished work
// again: a tenth of its age, but not past its end, if that can be told.
func retryAfter(work task.Work, now time.Time) int {
	var progress *task.Progress
	var created time.Time
	switch work := work.(type) {
	case *task.Group:
		progress, created = &work.Progress, work.CreatedAt
	case *task.Task:
		progress, created = &work.Progress, work.CreatedAt
	}
	wait := now.Sub(created) / 10
	if remaining, known := progress.Remaining(now); known {
		wait = min(wait, remaining)
	}
	return int(min(max(wait.Round(time.Second)/time.Second, soonest), latest))
}

// await returns the newest state of work once it is finished, or is enough, or
// when the time is up or the server stops. It follows the hub. If too many wait
// already, or the hub does not answer, it returns what it was given.
func (h *Handler) await(w http.ResponseWriter, r *http.Request, work task.Work, wait time.Duration, enough func(task.Work) bool) task.Work {
	w.Header().Add("Vary", "Prefer")
	select {
	case h.waits <- struct{}{}:
		defer func() { <-h.waits }()
	default:
		return work
	}
	w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
	if work.Finished() || enough(work) {
		return work
	}
	began := time.Now()
	defer func() { visitOf(r).waited = time.Since(began) }()
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-h.ended:
			cancel()
		case <-ctx.Done():
		}
	})
	snapshots, err := h.hub.Subscribe(ctx, event.Topic(work.NodeID()))
	if err != nil {
		return work
	}
	for s := range snapshots {
		newer, ok := s.(task.Work)
		if !ok {
			return work
		}
		if work = newer; work.Finished() || enough(work) {
			return work
		}
	}
	return work
}
