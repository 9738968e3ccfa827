package rest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/task"
)

// previewView is what a sync would do, with a page of what it would do by path.
type previewView struct {
	Href       string              `json:"href"`
	Added      int                 `json:"added"`
	Removed    int                 `json:"removed"`
	Replaced   int                 `json:"replaced"`
	Unchanged  int                 `json:"unchanged"`
	FetchFiles int                 `json:"fetchFiles"`
	FetchBytes int64               `json:"fetchBytes"`
	Changes    []previewChangeView `json:"changes"`
	Next       *string             `json:"next"` // the page that follows; nil after the last
}

type previewChangeView struct {
	Path   string              `json:"path"`
	Kind   content.PreviewKind `json:"kind"`
	Before *previewFileView    `json:"before"`
	After  *previewFileView    `json:"after"`
	Fetch  bool                `json:"fetch"`
}

type previewFileView struct {
	SHA256 content.Digest `json:"sha256"`
	Size   int64          `json:"size"`
}

// preview answers with what a task found out that a sync would do.
func (h *Handler) preview(w http.ResponseWriter, r *http.Request) error {
	of, err := h.findTask(r)
	if err != nil {
		return err
	}
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	paging := maps.Clone(query)
	kinds, err := takeKinds(paging, content.PreviewKinds)
	if err != nil {
		return err
	}
	_, request, err := readQuery(paging, pageParameters, "kind")
	if err != nil {
		return err
	}
	ids := []task.ID{of.ID}
	previews, err := h.store(r.Context()).Previews(r.Context(), ids)
	if err != nil {
		return err
	}
	p := previews[0]
	if p == nil {
		return fault.New(fault.NotFound, "%s has no preview: only a sync with dryRun has one, once it has completed", of.ID)
	}
	pages, err := h.store(r.Context()).PreviewChanges(r.Context(), ids, kinds, request)
	if err != nil {
		return err
	}
	path := previewHref(of.ID)
	body := previewView{Href: withQuery(path, query), Added: p.Added, Removed: p.Removed, Replaced: p.Replaced, Unchanged: p.Unchanged,
		FetchFiles: p.FetchFiles, FetchBytes: p.FetchBytes, Changes: make([]previewChangeView, len(pages[0].Items))}
	for i, item := range pages[0].Items {
		c := item.Node
		body.Changes[i] = previewChangeView{c.Path, c.Kind, (*previewFileView)(c.Before), (*previewFileView)(c.After), c.Fetch}
	}
	body.Next = nextPage(w, pages[0], path, query)
	write(w, r, http.StatusOK, mediaJSON, body)
	return nil
}

func previewHref(id task.ID) string { return taskHref(id) + "/preview" }

// takeKinds takes the kinds, given one by one or with commas, out of a query.
func takeKinds[K ~string](query url.Values, known []K) ([]K, error) {
	const name = "kind"
	values := query[name]
	delete(query, name)
	if values == nil {
		return nil, nil
	}
	var kinds []K
	for value := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if !slices.Contains(known, K(value)) {
			return nil, fault.Input(name, "%.80q is no kind of change here", value)
		}
		if !slices.Contains(kinds, K(value)) {
			kinds = append(kinds, K(value))
		}
	}
	return kinds, nil
}
