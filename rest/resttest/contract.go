// Package resttest holds what is said over the REST API to its OpenAPI document.
package resttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Contract is what a document promises. It is safe for concurrent use.
type Contract struct {
	Document *openapi3.T
	router   routers.Router
}

// Load reads a document. Its examples are left to Validate of the document.
func Load(text []byte) (*Contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("the document cannot be read: %w", err)
	}
	router, err := legacy.NewRouter(document, openapi3.DisableExamplesValidation())
	return &Contract{document, router}, err
}

// Client returns a client that fails the test when a request that the document
// does not allow succeeds, or an answer is not as the document says.
func (c *Contract) Client(t *testing.T) *http.Client { return &http.Client{Transport: checked{c, t}} }

type checked struct {
	*Contract
	t *testing.T
}

// RoundTrip sends a request to a server, and checks it and its answer.
func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.check(r, sent, response, body); err != nil {
		c.t.Errorf("%s %s with %.200q was answered with %s %.2000s: %v", r.Method, r.URL.RequestURI(), sent, response.Status, body, err)
	}
	return response, nil
}

func (c *Contract) check(r *http.Request, sent []byte, response *http.Response, body []byte) error {
	copied := r.Clone(r.Context())
	copied.URL.Scheme, copied.URL.Host, copied.Host = "", "", ""
	copied.Body = io.NopCloser(bytes.NewReader(sent))
	if copied.Method == http.MethodHead {
		copied.Method = http.MethodGet
	}
	route, parameters, err := c.router.FindRoute(copied)
	if err != nil {
		return c.unrouted(response, body)
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: r.Method == http.MethodHead}
	in := &openapi3filter.RequestValidationInput{Request: copied, PathParams: parameters, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil && response.StatusCode < 400 {
		return fmt.Errorf("the document does not allow the request: %w", err)
	}
	if response.Header.Get("X-Request-Id") == "" {
		return errors.New("it has no id")
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: response.StatusCode, Header: response.Header, Options: options}
	return openapi3filter.ValidateResponse(r.Context(), out.SetBodyBytes(body))
}

// unrouted checks the answer to a request of which the document knows nothing.
func (c *Contract) unrouted(response *http.Response, body []byte) error {
	media := response.Header.Get("Content-Type")
	switch {
	case response.StatusCode == http.StatusNoContent:
		return nil
	case response.StatusCode < 400 || !strings.HasPrefix(media, "application/problem+json"):
		return errors.New("the document does not know the path")
	case response.Request.Method == http.MethodHead:
		return nil
	}
	in := &openapi3filter.RequestValidationInput{Request: response.Request, Route: &routers.Route{Spec: c.Document, Operation: &openapi3.Operation{
		Responses: openapi3.NewResponses(openapi3.WithStatus(response.StatusCode, c.Document.Components.Responses["BadInput"])),
	}}}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: response.StatusCode, Header: response.Header}
	return openapi3filter.ValidateResponse(response.Request.Context(), out.SetBodyBytes(body))
}
