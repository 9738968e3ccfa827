package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"ream/access"
	"ream/fault"
	"ream/media"
)

// The media types of answers.
const (
	mediaTask    = "application/vnd.ream.task+json"
	mediaGroup   = "application/vnd.ream.task-group+json"
	mediaJSON    = "application/json"
	mediaProblem = "application/problem+json"
)

// route is a path with what is done there.
type route struct {
	h        *Handler
	pattern  string
	method   string   // GET stands for HEAD as well
	produces []string // one of them must be acceptable
	answer   answerer
}

// answerer answers a request, or returns the error to answer with.
type answerer func(http.ResponseWriter, *http.Request) error

// routes are all there are.
func (h *Handler) routes() []route {
	either := []string{mediaTask, mediaGroup, mediaJSON}
	alone := []string{mediaTask, mediaJSON}
	return []route{
		{h, Prefix + "sync", http.MethodPost, either, operation(h, "sync", true, syncRequest, h.catalog.Sync)},
		{h, Prefix + "publish", http.MethodPost, either, operation(h, "publish", true, publishRequest, h.catalog.Publish)},
		{h, Prefix + "mirror", http.MethodPost, []string{mediaGroup, mediaJSON}, operation(h, "mirror", true, mirrorRequest, h.catalog.Mirror)},
		{h, Prefix + "purge", http.MethodPost, either, operation(h, "purge", false, purgeRequest, h.catalog.Purge)},
		{h, Prefix + "uploadFiles", http.MethodPost, alone, operation(h, "uploadFiles", true, uploadRequest, h.catalog.UploadFiles)},
		{h, Prefix + "modifyRepository", http.MethodPost, alone, operation(h, "modifyRepository", true, modifyRequest, h.catalog.Modify)},
		{h, Prefix + "copyUnits", http.MethodPost, alone, operation(h, "copyUnits", true, copyRequest, h.catalog.Copy)},
		{h, Prefix + "restoreVersion", http.MethodPost, alone, operation(h, "restoreVersion", true, restoreRequest, h.catalog.Restore)},
		{h, Prefix + "deleteVersion", http.MethodPost, alone, operation(h, "deleteVersion", true, deleteVersionRequest, h.catalog.DeleteVersion)},
		{h, Prefix + "promote", http.MethodPost, []string{mediaJSON}, mutation(h, "promote", false, promoteRequest, h.promote, h.switched)},
		{h, Prefix + "rollback", http.MethodPost, []string{mediaJSON}, mutation(h, "rollback", false, rollbackRequest, h.rollback, h.switched)},
		{h, Prefix + "cleanOrphans", http.MethodPost, either, operation(h, "cleanOrphans", false, cleanOrphansRequest, h.catalog.CleanOrphans)},
		{h, Prefix + "verifyContent", http.MethodPost, either, operation(h, "verifyContent", false, verifyContentRequest, h.catalog.VerifyContent)},
		{h, Prefix + "cancel", http.MethodPost, either, operation(h, "cancel", true, workID, h.cancel)},
		{h, Prefix + "retry", http.MethodPost, either, operation(h, "retry", true, workID, h.retry)},
		{h, Prefix + "tasks/{id}", http.MethodGet, []string{mediaTask, mediaJSON}, h.task},
		{h, Prefix + "tasks/{id}/failures", http.MethodGet, []string{mediaJSON}, h.inTime(h.failures)},
		{h, Prefix + "tasks/{id}/preview", http.MethodGet, []string{mediaJSON}, h.inTime(h.preview)},
		{h, Prefix + "tasks/{id}/findings", http.MethodGet, []string{mediaJSON}, h.inTime(h.findings)},
		{h, Prefix + "task-groups/{id}", http.MethodGet, []string{mediaGroup, mediaJSON}, h.group},
		{h, Prefix + "task-groups/{id}/tasks", http.MethodGet, []string{mediaJSON}, h.inTime(h.members)},
		{h, Prefix + "diff", http.MethodGet, []string{mediaJSON}, h.inTime(h.diff)},
		{h, Prefix + "openapi.json", http.MethodGet, []string{mediaJSON}, h.openAPI},
	}
}

// inTime ends what reads a list and takes too long.
func (h *Handler) inTime(answer answerer) answerer {
	if h.o.Duration <= 0 {
		return answer
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), h.o.Duration)
		defer cancel()
		err := answer(w, r.WithContext(ctx))
		if err != nil && ctx.Err() != nil && r.Context().Err() == nil {
			return fault.New(fault.Unavailable, "the request took too long (limit duration=%v): ask for less, or try again later", h.o.Duration)
		}
		return err
	}
}

// allowed are the methods of the route.
func (t route) allowed() []string {
	if t.method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead, http.MethodOptions}
	}
	return []string{t.method, http.MethodOptions}
}

// ServeHTTP answers a request to the route, once it is certain that the answer
// can be one that the client understands.
func (t route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	visitOf(r).route = t.pattern
	allow := strings.Join(t.allowed(), ", ")
	switch {
	case !slices.Contains(t.allowed(), r.Method):
		w.Header().Set("Allow", allow)
		t.h.fail(w, r, refuse(http.StatusMethodNotAllowed, "%.20q is not done here: use %s", r.Method, t.method))
		return
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Add("Vary", "Accept")
	if _, ok := accepted(r).Best(t.produces...); !ok {
		t.h.fail(w, r, refuse(http.StatusNotAcceptable, "the answer comes as %s: accept it", strings.Join(t.produces, " or ")))
		return
	}
	var err error
	if t.method == http.MethodGet { // operations look themselves, and record it
		err = access.CallerOf(r.Context()).Check(access.Reader, true, "every request")
	}
	if err == nil {
		err = t.answer(w, r)
	}
	if err != nil {
		t.h.fail(w, r, err)
	}
}

func accepted(r *http.Request) media.Accept { return media.ParseAccept(r.Header.Values("Accept")) }
