package resolvers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/content"
	"ream/fault"
)

// allowedMethods are the methods of the endpoint.
const allowedMethods = "GET, POST, OPTIONS"

// refusal is why a request is no GraphQL request, or is not answered as one. Its
// message never repeats what the client sent.
type refusal struct {
	status int
	fault  error
	allow  string        // with 405: the methods that are allowed
	wait   time.Duration // with 429 and 503: before another try
}

// shown is the refusal as an error of GraphQL.
func (f *refusal) shown() *gqlerror.Error {
	shown := &gqlerror.Error{}
	showFault(shown, f.fault)
	return shown
}

// refuse makes a refusal of what the status says, in the words that follow.
func refuse(status int, format string, args ...any) *refusal {
	kind := fault.BadInput
	switch status {
	case http.StatusServiceUnavailable:
		kind = fault.Unavailable
	case http.StatusInternalServerError:
		kind = fault.Internal
	case http.StatusForbidden:
		kind = fault.Forbidden
	}
	return &refusal{status: status, fault: fault.New(kind, format, args...), allow: allowedMethods}
}

// refuseField refuses a request for one of its fields.
func refuseField(field, format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, fault: fault.Input(field, format, args...)}
}

func subscriptionAlone() *refusal {
	return refuse(http.StatusBadRequest, "subscriptions need a websocket, or Accept: %s", mediaEvents)
}

func mutationByGet() *refusal {
	r := refuse(http.StatusMethodNotAllowed, "mutations change something: send them by POST")
	r.allow = http.MethodPost
	return r
}

// incoming is what an HTTP request asks for.
type incoming struct {
	requests []*graphql.RawParams // at least one
	batch    bool                 // they came in a list, and so are answered
	files    []content.UploadID   // that came with them
}

// read reads the GraphQL requests that an HTTP request carries.
func (o HTTPOptions) read(w http.ResponseWriter, r *http.Request) (incoming, *refusal) {
	var in incoming
	var refused *refusal
	began := graphql.Now()
	switch r.Method {
	case http.MethodGet:
		request := &graphql.RawParams{}
		in.requests, refused = append(in.requests, request), readQueryString(request, r.URL.RawQuery)
	case http.MethodPost:
		in, refused = o.readBody(w, r)
	default:
		refused = refuse(http.StatusMethodNotAllowed, "send requests by POST, or queries by GET")
	}
	for _, request := range in.requests {
		refused = cmp.Or(refused, checkQuery(request))
		request.Headers, request.ReadTime = r.Header, graphql.TraceTiming{Start: began, End: graphql.Now()}
	}
	return in, refused
}

func (o HTTPOptions) readBody(w http.ResponseWriter, r *http.Request) (in incoming, refused *refusal) {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && media == mediaMultipart && o.Files != nil {
		return o.readMultipart(w, r, parameters["boundary"])
	}
	charset := parameters["charset"]
	if err != nil || media != mediaJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return in, refuse(http.StatusUnsupportedMediaType, "send the request as JSON in UTF-8, with Content-Type: %s", mediaJSON)
	}
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(o.readUntil()) // the server has no deadline of its own, since streams go on
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, o.MaxBody))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return in, &refusal{status: http.StatusRequestTimeout,
			fault: over(fault.Unavailable, "duration", o.ReadTimeout, "the body took too long to arrive", "send it at once")}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return in, &refusal{status: http.StatusRequestEntityTooLarge,
			fault: over(fault.BadInput, "body", Bytes(o.MaxBody), "the request is too large", "send less at once")}
	}
	if err != nil {
		return in, refuse(http.StatusBadRequest, "the body could not be read to its end")
	}
	_ = connection.SetReadDeadline(time.Time{})
	return o.parse(text)
}

// readUntil is the deadline of what is to come now; zero for none.
func (o HTTPOptions) readUntil() time.Time {
	if o.ReadTimeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(o.ReadTimeout)
}

// parse reads the requests of a body: an object, or a list of some.
func (o HTTPOptions) parse(text []byte) (in incoming, refused *refusal) {
	var objects []map[string]json.RawMessage
	if in.batch = bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("[")); !in.batch {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	valid := json.Unmarshal(text, &objects) == nil && len(objects) > 0 && (in.batch || len(objects) == 1)
	if !valid || slices.ContainsFunc(objects, func(o map[string]json.RawMessage) bool { return o == nil }) {
		return in, refuse(http.StatusBadRequest, "the body is no JSON object, and no list of some: send {\"query\": …, \"variables\": …}")
	}
	if len(objects) > o.MaxBatch {
		return in, &refusal{status: http.StatusBadRequest,
			fault: over(fault.TooComplex, "batch", o.MaxBatch, fmt.Sprintf("the batch has %d requests", len(objects)), "send fewer at once")}
	}
	for _, fields := range objects {
		request := &graphql.RawParams{}
		in.requests = append(in.requests, request)
		refused = cmp.Or(refused, readFields(request, fields))
	}
	return in, refused
}

// readFields reads the fields of a request that is JSON.
func readFields(params *graphql.RawParams, fields map[string]json.RawMessage) *refusal {
	return cmp.Or(
		readField("query", fields["query"], &params.Query),
		readField("operationName", fields["operationName"], &params.OperationName),
		readField("variables", fields["variables"], &params.Variables),
		readField("extensions", fields["extensions"], &params.Extensions),
	)
}

// checkQuery refuses a request that has no document, and does not name one by
// its hash either.
func checkQuery(params *graphql.RawParams) *refusal {
	if params.Query == "" && params.Extensions[persistedQuery] == nil {
		return refuseField("query", "it is missing: it holds the GraphQL document")
	}
	return nil
}

func readQueryString(params *graphql.RawParams, raw string) *refusal {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return refuse(http.StatusBadRequest, "the query string is malformed: encode its values as URLs need it")
	}
	params.Query = values.Get("query")
	params.OperationName = values.Get("operationName")
	return cmp.Or(
		readField("variables", []byte(values.Get("variables")), &params.Variables),
		readField("extensions", []byte(values.Get("extensions")), &params.Extensions),
	)
}

// readField decodes one field. Nothing and null leave it as it is. Numbers keep
// their digits: a 64-bit integer does not fit in a float.
func readField(name string, text []byte, field any) *refusal {
	if len(text) == 0 {
		return nil
	}
	kind := "an object"
	if _, ok := field.(*string); ok {
		kind = "a string"
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if !json.Valid(text) || decoder.Decode(field) != nil {
		return refuseField(name, "it must be %s in JSON, or left out", kind)
	}
	return nil
}
