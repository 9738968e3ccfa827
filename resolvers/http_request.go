package resolvers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

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

func mutationByGet() *refusal {
	r := refuse(http.StatusMethodNotAllowed, "mutations change something: send them by POST")
	r.allow = http.MethodPost
	return r
}

// readRequest reads the GraphQL request that an HTTP request carries, whose body
// may have so many bytes.
func readRequest(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, *refusal) {
	params := &graphql.RawParams{Headers: r.Header}
	params.ReadTime.Start = graphql.Now()
	var refused *refusal
	switch r.Method {
	case http.MethodGet:
		refused = readQueryString(params, r.URL.RawQuery)
	case http.MethodPost:
		refused = readBody(params, w, r, limit)
	default:
		refused = refuse(http.StatusMethodNotAllowed, "send requests by POST, or queries by GET")
	}
	params.ReadTime.End = graphql.Now()
	if refused := cmp.Or(refused, checkQuery(params)); refused != nil {
		return nil, refused
	}
	return params, nil
}

func readBody(params *graphql.RawParams, w http.ResponseWriter, r *http.Request, limit int64) *refusal {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := parameters["charset"]
	if err != nil || media != mediaJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse(http.StatusUnsupportedMediaType, "send the request as JSON in UTF-8, with Content-Type: %s", mediaJSON)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{status: http.StatusRequestEntityTooLarge,
			fault: over(fault.BadInput, "body", Bytes(limit), "the request is too large", "send less at once")}
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the body could not be read to its end")
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil || fields == nil {
		return refuse(http.StatusBadRequest, "the body is no JSON object: send {\"query\": …, \"variables\": …}, and several requests one by one, for batches are not answered")
	}
	return readFields(params, fields)
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
