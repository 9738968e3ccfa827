package rest

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/task"
)

// Versions makes versions, removes them, and says what is served of them.
type Versions interface {
	Modify(context.Context, catalog.ModifyRequest) (*task.Task, error)
	Copy(context.Context, catalog.CopyRequest) (*task.Task, error)
	Restore(context.Context, catalog.RestoreRequest) (*task.Task, error)
	DeleteVersion(context.Context, catalog.DeleteVersionRequest) (*task.Task, error)
	Promote(ctx context.Context, from, to content.DistributionID, expected content.PublicationID) (*content.Distribution, error)
	Rollback(ctx context.Context, id content.DistributionID, expected content.PublicationID) (*content.Distribution, error)
}

func modifyRequest(in *object) (catalog.ModifyRequest, error) {
	request := catalog.ModifyRequest{
		Repository:     id[content.RepositoryID](in, "repository", "repository"),
		Add:            ids[content.UnitID](in, "add", "unit"),
		Remove:         ids[content.UnitID](in, "remove", "unit"),
		Priority:       in.priority(),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func copyRequest(in *object) (catalog.CopyRequest, error) {
	request := catalog.CopyRequest{
		Version:        id[content.VersionID](in, "version", "version"),
		Repository:     id[content.RepositoryID](in, "repository", "repository"),
		Paths:          in.texts("paths"),
		Mirror:         in.bool("mirror", false),
		Priority:       in.priority(),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func restoreRequest(in *object) (catalog.RestoreRequest, error) {
	request := catalog.RestoreRequest{
		Version:        id[content.VersionID](in, "version", "version"),
		Priority:       in.priority(),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

func deleteVersionRequest(in *object) (catalog.DeleteVersionRequest, error) {
	request := catalog.DeleteVersionRequest{
		Version:        id[content.VersionID](in, "version", "version"),
		Priority:       in.priority(),
		IdempotencyKey: in.idempotencyKey(),
	}
	return request, in.done()
}

// promotion is a request to promote what one distribution serves to another.
type promotion struct {
	from, to content.DistributionID
	expected content.PublicationID // 0 for any
}

func promoteRequest(in *object) (promotion, error) {
	request := promotion{
		from: id[content.DistributionID](in, "from", "distribution"),
		to:   id[content.DistributionID](in, "to", "distribution"),
	}
	request.expected = expectedPublication(in)
	return request, in.done()
}

// expectedPublication reads what a request expects to be served; 0 for anything.
// With it the request may be repeated, for which others have an idempotency key.
func expectedPublication(in *object) (expected content.PublicationID) {
	if given := in.fields["publication"]; given != nil && string(given) != "null" {
		expected = id[content.PublicationID](in, "publication", "publication")
	} else if in.key != "" {
		in.fail("publication", "want it instead of an Idempotency-Key: with it the request may be sent again")
	}
	delete(in.fields, "publication")
	return expected
}

func (h *Handler) promote(ctx context.Context, p promotion) (*content.Distribution, error) {
	return h.catalog.Promote(ctx, p.from, p.to, p.expected)
}

// reversal is a request to serve what was served before.
type reversal struct {
	of       content.DistributionID
	expected content.PublicationID // 0 for any
}

func rollbackRequest(in *object) (reversal, error) {
	request := reversal{id[content.DistributionID](in, "id", "distribution"), expectedPublication(in)}
	return request, in.done()
}

func (h *Handler) rollback(ctx context.Context, r reversal) (*content.Distribution, error) {
	return h.catalog.Rollback(ctx, r.of, r.expected)
}

// distributionView is a distribution that serves a publication.
type distributionView struct {
	ID          string         `json:"id"`
	Path        string         `json:"path"`
	URL         string         `json:"url"`
	Publication string         `json:"publication"` // its id
	Access      content.Access `json:"access"`
	CreatedAt   time.Time      `json:"createdAt"`
	UpdatedAt   time.Time      `json:"updatedAt"`
}

func (h *Handler) switched(w http.ResponseWriter, r *http.Request, d *content.Distribution) error {
	write(w, r, http.StatusOK, mediaJSON, distributionView{ID: d.NodeID(), Path: d.Path, URL: (&url.URL{Path: "/content/" + d.Path + "/"}).EscapedPath(),
		Publication: d.PublicationID.String(), Access: d.Access, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt})
	return nil
}

// diffView is a page of what differs between two versions.
type diffView struct {
	Href    string           `json:"href"`
	Changes []unitChangeView `json:"changes"`
	Next    *string          `json:"next"` // the page that follows; nil after the last
}

type unitChangeView struct {
	Path   string             `json:"path"`
	Kind   content.ChangeKind `json:"kind"`
	Before *unitView          `json:"before"`
	After  *unitView          `json:"after"`
}

type unitView struct {
	ID     string         `json:"id"`
	SHA256 content.Digest `json:"sha256"`
	Size   int64          `json:"size"`
}

func viewUnit(u *content.Unit) *unitView {
	if u == nil {
		return nil
	}
	return &unitView{u.NodeID(), u.SHA256, u.Size}
}

// diff answers with what differs between two versions.
func (h *Handler) diff(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	paging := maps.Clone(query)
	kinds, err := takeKinds(paging, []content.ChangeKind{content.Added, content.Removed, content.Replaced})
	if err != nil {
		return err
	}
	var ids []content.VersionID
	for _, name := range []string{"from", "to"} {
		key, err := content.ParseID[content.VersionID]("version", paging.Get(name))
		if err != nil || len(paging[name]) > 1 {
			return fault.Input(name, "want the id of a version: version-9")
		}
		ids = append(ids, key)
		delete(paging, name)
	}
	_, request, err := readQuery(paging, pageParameters, "from", "to", "kind")
	if err != nil {
		return err
	}
	store := h.store(r.Context())
	versions, err := store.VersionsByID(r.Context(), ids)
	if err != nil {
		return err
	}
	for i, v := range versions {
		if v == nil {
			return missing(ids[i])
		}
	}
	found, err := store.Diff(r.Context(), versions[0], versions[1], kinds, request)
	if err != nil {
		return err
	}
	const path = Prefix + "diff"
	body := diffView{Href: withQuery(path, query), Changes: make([]unitChangeView, len(found.Items))}
	for i, item := range found.Items {
		c := item.Node
		body.Changes[i] = unitChangeView{c.Path, c.Kind(), viewUnit(c.Before), viewUnit(c.After)}
	}
	body.Next = nextPage(w, found, path, query)
	write(w, r, http.StatusOK, mediaJSON, body)
	return nil
}
