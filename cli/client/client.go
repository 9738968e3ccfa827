// Package client speaks to a Ream server: typed operations, generated from the
// schema and operations.graphql, over HTTP, and subscriptions over WebSocket.
package client

//go:generate go tool genqlient genqlient.yaml

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Khan/genqlient/graphql"
)

// Operations are the documents that a Client sends, in JSON: {"operations":
// [{"query": …}]}. A server that answers registered documents only has to know
// them.
//
//go:embed operations.json
var Operations []byte

// What one exchange with a server may take.
const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 16 << 20
)

// Client sends operations to one server. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	token string
}

// Options are the settings of a Client.
type Options struct {
	Token     string            // by which the server knows who asks; empty for none
	Transport http.RoundTripper // how requests reach the server; http.DefaultTransport if nil
}

var _ graphql.Client = (*Client)(nil)

// New returns a client of the server at an address such as
// http://127.0.0.1:8080. It does not connect.
func New(address string, o Options) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("the server's address %q is no http or https URL: want one such as http://127.0.0.1:8080", address)
	}
	return &Client{base: base, http: &http.Client{Timeout: requestTimeout, Transport: o.Transport}, token: o.Token}, nil
}

// URL is where a path lies on the server.
func (c *Client) URL(path string) string {
	u := *c.base
	u.RawQuery, u.Fragment = "", ""
	return strings.TrimSuffix(u.String(), "/") + path
}

// Error is what a server answers to an operation that it refuses.
type Error struct {
	Code    string // such as NOT_FOUND
	Field   string // of the input, where it is bad
	Message string
}

// Error is the message, after the name of the field that is bad unless the
// message names it.
func (e *Error) Error() string {
	if strings.Contains(e.Message, e.Field) {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// answered is an entry of a response's errors.
type answered struct {
	Message    string `json:"message"`
	Extensions struct {
		Code  string `json:"code"`
		Field string `json:"field"`
	} `json:"extensions"`
}

// failure is what a response's errors say, nil if there are none.
func failure(all []answered) error {
	errs := make([]error, len(all))
	for i, a := range all {
		errs[i] = &Error{Code: a.Extensions.Code, Field: a.Extensions.Field, Message: a.Message}
	}
	return errors.Join(errs...)
}

// MakeRequest sends an operation and reads the answer into response. An
// operation that the server refuses is an *Error. Generated code calls it.
func (c *Client) MakeRequest(ctx context.Context, request *graphql.Request, response *graphql.Response) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL("/graphql"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	post.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		post.Header.Set("Authorization", c.authorization())
	}
	got, err := c.http.Do(post)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer got.Body.Close()
	answer := struct {
		Data   any        `json:"data"`
		Errors []answered `json:"errors"`
	}{Data: response.Data}
	if err := json.NewDecoder(io.LimitReader(got.Body, maxAnswer)).Decode(&answer); err != nil {
		return fmt.Errorf("%s does not answer as a Ream server (%s): check --server", c.URL("/graphql"), got.Status)
	}
	if err := failure(answer.Errors); err != nil {
		return err
	}
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", c.URL("/graphql"), got.Status)
	}
	return nil
}

// authorization is by what the server knows who asks.
func (c *Client) authorization() string { return "Bearer " + c.token }

// unreachable names the server that could not be reached and the remedy.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL, which the message has
	}
	return fmt.Errorf("no answer from %s: is the server running there (ream serve), or elsewhere (--server)? %w", c.URL(""), err)
}
