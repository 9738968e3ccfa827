package resolvers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// requestLimit bounds the body of a request, in bytes.
const requestLimit = 1 << 20

// allowedMethods are the methods of the endpoint.
const allowedMethods = "GET, POST, OPTIONS"

// refusal is why a request is no GraphQL request. The message never repeats
// what the client sent.
type refusal struct {
	status  int
	message string
	allow   string // with 405: the methods that are allowed
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: fmt.Sprintf(format, args...), allow: allowedMethods}
}

func mutationByGet() *refusal {
	return &refusal{http.StatusMethodNotAllowed, "mutations change something: send them by POST", http.MethodPost}
}

// readRequest reads the GraphQL request that an HTTP request carries.
func readRequest(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *refusal) {
	params := &graphql.RawParams{Headers: r.Header}
	params.ReadTime.Start = graphql.Now()
	var refused *refusal
	switch r.Method {
	case http.MethodGet:
		refused = readQueryString(params, r.URL.RawQuery)
	case http.MethodPost:
		refused = readBody(params, w, r)
	default:
		refused = refuse(http.StatusMethodNotAllowed, "send requests by POST, or queries by GET")
	}
	params.ReadTime.End = graphql.Now()
	if refused != nil {
		return nil, refused
	}
	if params.Query == "" {
		return nil, refuse(http.StatusBadRequest, "query is missing: it holds the GraphQL document")
	}
	return params, nil
}

func readBody(params *graphql.RawParams, w http.ResponseWriter, r *http.Request) *refusal {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := parameters["charset"]
	if err != nil || media != mediaJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse(http.StatusUnsupportedMediaType, "send the request as JSON in UTF-8, with Content-Type: %s", mediaJSON)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestLimit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "the request is larger than %d bytes: send less at once", requestLimit)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the body could not be read to its end")
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil || fields == nil {
		return refuse(http.StatusBadRequest, "the body is no JSON object: send {\"query\": …, \"variables\": …}; batches are not supported")
	}
	for name, field := range map[string]any{
		"query":         &params.Query,
		"operationName": &params.OperationName,
		"variables":     &params.Variables,
		"extensions":    &params.Extensions,
	} {
		if refused := readField(name, fields[name], field); refused != nil {
			return refused
		}
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
	if refused := readField("variables", []byte(values.Get("variables")), &params.Variables); refused != nil {
		return refused
	}
	return readField("extensions", []byte(values.Get("extensions")), &params.Extensions)
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
		return refuse(http.StatusBadRequest, "%s must be %s in JSON, or left out", name, kind)
	}
	return nil
}
