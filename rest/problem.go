package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"ream/fault"
	"ream/trail"
)

// problem is an error as RFC 9457 has it.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`            // of the fault
	Field     string `json:"field,omitempty"` // of the request
	Remedy    string `json:"remedy"`
	RequestID string `json:"requestId,omitempty"`
}

// known is what faults of a kind mean in HTTP, and what to do about them.
type known struct {
	status int
	remedy string
}

// kinds has an entry for every kind of fault.
var kinds = map[fault.Kind]known{
	fault.BadInput:        {http.StatusBadRequest, "Change the request as the detail says; " + Prefix + "openapi.json describes what is understood."},
	fault.NotFound:        {http.StatusNotFound, "Check the id or the path. Old tasks and groups may have been purged."},
	fault.Conflict:        {http.StatusConflict, "Look at what is there now, and ask for what fits to it."},
	fault.Unauthenticated: {http.StatusUnauthorized, "Send a token: Authorization: Bearer <token>."},
	fault.Forbidden:       {http.StatusForbidden, "Use a token that may do this, from a page of this server or from no page."},
	fault.TooComplex:      {http.StatusRequestEntityTooLarge, "Ask for less at once."},
	fault.RateLimited:     {http.StatusTooManyRequests, "Wait for as many seconds as Retry-After says, and ask more seldom."},
	fault.Unavailable:     {http.StatusServiceUnavailable, "Wait for as many seconds as Retry-After says, and send the same request again."},
	fault.Internal:        {http.StatusInternalServerError, "Tell the operator the request's id: the log has the rest."},
}

const goOn = "Ask how much has come, and go on from there."

// remedies are for statuses that say more than their kind of fault.
var remedies = map[int]string{
	http.StatusInsufficientStorage: "Free some space; nothing that had come is lost: ask how much that is, and go on from there.",
	statusWrongChecksum:            "Send the bytes again.",
	statusClientGone:               goOn,
	http.StatusRequestTimeout:      goOn,
}

// titles are of statuses that no standard has.
var titles = map[int]string{statusWrongChecksum: "Checksum Mismatch", statusClientGone: "Client Closed Request"}

// retrySoon is for how long clients are asked to wait when nothing better is
// known.
const retrySoon = time.Second

// refusal is a fault with a status of its own.
type refusal struct {
	status int
	fault  *fault.Error
	wait   time.Duration // until the same may be asked again; 0 if that is not known
}

func (r refusal) Error() string { return r.fault.Error() }

func (r refusal) Unwrap() error { return r.fault }

func refuse(status int, format string, args ...any) error {
	return refusal{status: status, fault: fault.New(fault.BadInput, format, args...)}
}

// fail answers with an error. Those that are not faults are shown as "internal
// error", with the id under which the log has the rest.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	kind, detail := fault.KindOf(err), "internal error"
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		kind, detail = fault.Unavailable, "the request was canceled or took too long"
	}
	p := problem{Type: "about:blank", Status: kinds[kind].status, Remedy: kinds[kind].remedy, RequestID: trail.ID(ctx)}
	f, isFault := errors.AsType[*fault.Error](err)
	switch {
	case kind == fault.Internal:
		h.o.Log.ErrorContext(ctx, "internal error", "path", r.URL.Path, "error", err)
	case isFault:
		detail, p.Field = f.Message, f.Field
		if f.Err != nil {
			h.o.Log.WarnContext(ctx, "request failed", "path", r.URL.Path, "code", kind, "error", err)
		}
	}
	wait := retrySoon
	if refused, ok := errors.AsType[refusal](err); ok {
		p.Status, wait = refused.status, max(wait, refused.wait)
	}
	if remedy, ok := remedies[p.Status]; ok {
		p.Remedy = remedy
	}
	p.Title, p.Detail, p.Code = cmp.Or(titles[p.Status], http.StatusText(p.Status)), detail, string(kind)
	header := w.Header()
	header.Del("Etag")
	header.Del("Vary")
	switch p.Status {
	case http.StatusUnauthorized:
		if header.Get("WWW-Authenticate") == "" {
			header.Set("WWW-Authenticate", "Bearer")
		}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if header.Get("Retry-After") == "" {
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		}
	}
	write(w, r, p.Status, mediaProblem, p)
}

// write answers with a body, of which HEAD gets only the length.
func write(w http.ResponseWriter, r *http.Request, status int, media string, body any) {
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("rest: encode %T: %v", body, err)) // only types of this package come here
	}
	text = append(text, '\n')
	header := w.Header()
	header.Set("Content-Type", media)
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // fails only if the client is gone
	}
}
