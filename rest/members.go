package rest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// members answers with a page of a group's tasks, oldest first.
func (h *Handler) members(w http.ResponseWriter, r *http.Request) error {
	group, err := h.findGroup(r)
	if err != nil {
		return err
	}
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	filter, request, err := readQuery(query, parameters)
	if err != nil {
		return err
	}
	pages, err := h.store(r.Context()).TasksOf(r.Context(), task.MemberOf, []int64{int64(group.ID)}, filter, request)
	if err != nil {
		return err
	}
	found := pages[0]
	ids := make([]task.ID, len(found.Items))
	for i, item := range found.Items {
		ids[i] = item.Node.ID
	}
	created, err := h.store(r.Context()).Created(r.Context(), ids)
	if err != nil {
		return err
	}
	path := groupHref(group.ID) + "/tasks"
	body := membersView{Href: withQuery(path, query), Tasks: make([]taskView, len(ids))}
	for i, item := range found.Items {
		body.Tasks[i] = viewTask(item.Node, created[i], h.o.Now())
	}
	body.Next = nextPage(w, found, path, query)
	write(w, r, http.StatusOK, mediaJSON, body)
	return nil
}

// failures answers with a page of what a task could not get.
func (h *Handler) failures(w http.ResponseWriter, r *http.Request) error {
	return ofTask(h, w, r, "/failures", h.store(r.Context()).Failures, func(href string, found []*task.Failure, next *string) any {
		return failuresView{href, viewed(found, func(f *task.Failure) failureView { return failureView(*f) }), next}
	})
}

// findings answers with a page of what a task found to be wrong.
func (h *Handler) findings(w http.ResponseWriter, r *http.Request) error {
	return ofTask(h, w, r, "/findings", h.store(r.Context()).Findings, func(href string, found []*content.Finding, next *string) any {
		return findingsView{href, viewed(found, viewFinding), next}
	})
}

// ofTask answers with a page of a list that a task has, as view shows it.
func ofTask[T any](h *Handler, w http.ResponseWriter, r *http.Request, list string,
	read func(context.Context, []task.ID, page.Request) ([]*page.Of[T], error), view func(href string, found []T, next *string) any) error {
	of, err := h.findTask(r)
	if err != nil {
		return err
	}
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	_, request, err := readQuery(query, pageParameters)
	if err != nil {
		return err
	}
	pages, err := read(r.Context(), []task.ID{of.ID}, request)
	if err != nil {
		return err
	}
	path := taskHref(of.ID) + list
	href := withQuery(path, query)
	found := make([]T, len(pages[0].Items))
	for i, item := range pages[0].Items {
		found[i] = item.Node
	}
	write(w, r, http.StatusOK, mediaJSON, view(href, found, nextPage(w, pages[0], path, query)))
	return nil
}

// viewed are things as their readers see them.
func viewed[T, V any](found []T, view func(T) V) []V {
	views := make([]V, len(found))
	for i, one := range found {
		views[i] = view(one)
	}
	return views
}

// nextPage is where the page after this one is, which the header Link tells as
// well; nil after the last.
func nextPage[T any](w http.ResponseWriter, found *page.Of[T], path string, query url.Values) *string {
	n := len(found.Items)
	if n == 0 || !found.HasNext {
		return nil
	}
	query.Set("after", page.EncodeCursor(found.Items[n-1].Key))
	next := withQuery(path, query)
	w.Header().Set("Link", "<"+next+`>; rel="next"`)
	return &next
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// states are those that can be asked for.
var states = []task.State{task.Waiting, task.Running, task.Completed, task.Failed, task.Canceling, task.Canceled, task.Skipped}

// queryOf are the parameters of a request.
func queryOf(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		err = fault.New(fault.BadInput, "the query string is malformed: encode its values as URLs need it")
	}
	return query, err
}

// pageParameters are those of every list, parameters those of a list of tasks.
var (
	pageParameters = []string{"first", "after"}
	parameters     = append([]string{"state", "finished"}, pageParameters...)
)

// readQuery reads what of a list is asked for, by the parameters that it has.
// Others it refuses: a misspelled filter would seem to select everything. Those
// that were read before are named with them.
func readQuery(query url.Values, parameters []string, before ...string) (f task.Filter, p page.Request, err error) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		if !slices.Contains(parameters, name) {
			return f, p, fault.Input(printable(name), "there is no such parameter: want one of %s", strings.Join(append(before, parameters...), ", "))
		}
		if name != "state" && len(values) > 1 {
			return f, p, fault.Input(name, "it is given %d times: give it once", len(values))
		}
		value := values[0]
		switch name {
		case "state":
			if f.States, err = readStates(values); err != nil {
				return f, p, err
			}
		case "finished":
			if value != "true" && value != "false" {
				return f, p, fault.Input(name, "want true or false")
			}
			f.Finished = new(value == "true")
		case "first":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > page.Limit {
				return f, p, fault.Input(name, "want 1 to %d", page.Limit)
			}
			p.First = n
		case "after":
			if p.After, err = page.DecodeCursor(name, value); err != nil {
				return f, p, err
			}
		}
	}
	return f, p, nil
}

// readStates reads states that are given one by one, or with commas.
func readStates(values []string) ([]task.State, error) {
	var read []task.State
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		state := task.State(name)
		if !slices.Contains(states, state) {
			return nil, fault.Input("state", "%.80q is no state: want some of %s", name, strings.Trim(fmt.Sprint(states), "[]"))
		}
		if !slices.Contains(read, state) {
			read = append(read, state)
		}
	}
	return read, nil
}
