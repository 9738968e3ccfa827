package resolvers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// received is what came of a request.
type received struct {
	status int
	header http.Header
	text   string
}

func request(t *testing.T, s *stubServer, method, target, body string, header map[string]string) received {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return received{response.StatusCode, response.Header, string(text)}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewSSE(HTTPOptions{}), NewHTTP(HTTPOptions{}))
	encoded := func(query string) string { return "?query=" + url.QueryEscape(query) }
	const (
		asJSON     = mediaJSON + "; charset=utf-8"
		asResponse = mediaResponse + "; charset=utf-8"
		secret     = "xyzzy"
	)
	tests := map[string]struct {
		method, target, body string
		contentType, accept  string // application/json and none, if empty
		status               int
		media                string // application/json, if empty
		text                 string // that the answer contains
	}{
		"query":                         {body: `{"query":"{echo(n:1)}"}`, status: 200, text: `{"data":{"echo":1}}`},
		"newer media type":              {body: `{"query":"{echo}"}`, accept: mediaResponse, status: 200, media: asResponse, text: `{"data":{"echo":null}}`},
		"variables keep their digits":   {body: `{"query":"query($n:Int){echo(n:$n)}","variables":{"n":1234567}}`, status: 200, text: `{"data":{"echo":1234567}}`},
		"operation name":                {body: `{"query":"query a{echo} query b{b:echo}","operationName":"b"}`, status: 200, text: `{"data":{"b":null}}`},
		"nulls":                         {body: `{"query":"{echo}","variables":null,"operationName":null,"extensions":null}`, status: 200, text: `{"data":`},
		"mutation":                      {body: `{"query":"mutation{change(n:1)}"}`, status: 200, text: `{"data":{"change":1}}`},
		"charset":                       {body: `{"query":"{echo}"}`, contentType: `application/json; charset="UTF-8"`, status: 200, text: `{"data":`},
		"other charset":                 {body: `{"query":"{echo}"}`, contentType: "application/json; charset=latin1", status: 415, text: "UTF-8"},
		"text":                          {body: `{"query":"{echo}"}`, contentType: "text/plain", status: 415, text: "application/json"},
		"form":                          {body: encoded("mutation{change}")[1:], contentType: "application/x-www-form-urlencoded", status: 415, text: "application/json"},
		"GraphQL":                       {body: `{echo}`, contentType: "application/graphql", status: 415, text: "application/json"},
		"no content type":               {body: `{"query":"{echo}"}`, contentType: "none", status: 415, text: "application/json"},
		"bad JSON":                      {body: `{"query": "` + secret, status: 400, text: "JSON object"},
		"something after it":            {body: `{"query":"{echo}"} ` + secret, status: 400, text: "JSON object"},
		"batch of one":                  {body: ` [{"query":"{echo(n:1)}"}]`, status: 200, text: `[{"data":{"echo":1}}]`},
		"batch":                         {body: `[{"query":"{echo(n:1)}"},{"query":"{echo(n:2)}"}]`, status: 400, text: "(limit batch=1)"},
		"empty batch":                   {body: `[]`, status: 400, text: "JSON object"},
		"batch of something else":       {body: `[{"query":"{echo}"},null]`, status: 400, text: "JSON object"},
		"batch within a batch":          {body: `[[{"query":"{echo}"}]]`, status: 400, text: "JSON object"},
		"a list without its brackets":   {body: `{"query":"{echo}"},{"query":"{echo}"}`, status: 400, text: "JSON object"},
		"batch without a query":         {body: `[{}]`, status: 400, text: "query: it is missing"},
		"batch for events":              {body: `[{"query":"{echo}"}]`, accept: mediaEvents, status: 400, text: "batch"},
		"null":                          {body: `null`, status: 400, text: "JSON object"},
		"no query":                      {body: `{"variables":{}}`, status: 400, text: "query: it is missing"},
		"query is a number":             {body: `{"query":1}`, status: 400, text: "query: it must be a string"},
		"variables are a list":          {body: `{"query":"{echo}","variables":["xyzzy"]}`, status: 400, text: "variables: it must be an object"},
		"operation name is an object":   {body: `{"query":"{echo}","operationName":{}}`, status: 400, text: "operationName: it must be a string"},
		"extensions are a string":       {body: `{"query":"{echo}","extensions":"xyzzy"}`, status: 400, text: "extensions: it must be an object"},
		"too long":                      {body: `{"query":"` + strings.Repeat(" ", 1<<20) + `"}`, status: 413, text: "limit body=1MiB"},
		"invalid query":                 {body: `{"query":"{x}"}`, status: 200, text: `{"errors":`},
		"invalid query, newer type":     {body: `{"query":"{x}"}`, accept: mediaResponse, status: 400, media: asResponse, text: `{"errors":`},
		"malformed query":               {body: `{"query":"{"}`, accept: mediaResponse, status: 400, media: asResponse, text: `{"errors":`},
		"bad variable":                  {body: `{"query":"query($n:Int){echo(n:$n)}","variables":{"n":"x"}}`, accept: mediaResponse, status: 400, media: asResponse, text: `{"errors":`},
		"which operation?":              {body: `{"query":"query a{echo} query b{echo}"}`, accept: mediaResponse, status: 400, media: asResponse, text: `{"errors":`},
		"subscription":                  {body: `{"query":"subscription{silence}"}`, status: 400, text: "websocket"},
		"subscription, wildcard":        {body: `{"query":"subscription{count(n:1)}"}`, accept: "text/event-stream, */*;q=0.1", status: 200, media: "text/event-stream; charset=utf-8", text: "event: next"},
		"subscription among all":        {body: `{"query":"subscription{count(n:1)}"}`, accept: "application/json, text/event-stream", status: 200, media: "text/event-stream; charset=utf-8", text: "event: next"},
		"query among all":               {body: `{"query":"{echo(n:1)}"}`, accept: "application/json, text/event-stream", status: 200, text: `{"data":{"echo":1}}`},
		"GET":                           {method: "GET", target: encoded("{echo(n:1)}"), status: 200, text: `{"data":{"echo":1}}`},
		"GET with variables":            {method: "GET", target: encoded("query($n:Int){echo(n:$n)}") + "&variables=" + url.QueryEscape(`{"n":5}`) + "&extensions=null&operationName=", status: 200, text: `{"data":{"echo":5}}`},
		"GET, bad variables":            {method: "GET", target: encoded("{echo}") + "&variables={}]", status: 400, text: "variables: it must be an object"},
		"GET, bad escape":               {method: "GET", target: "?query=%zz", status: 400, text: "query string"},
		"GET without query":             {method: "GET", status: 400, text: "query: it is missing"},
		"GET mutation":                  {method: "GET", target: encoded("mutation{change}"), status: 405, text: "POST"},
		"GET mutation for events":       {method: "GET", target: encoded("mutation{change}"), accept: mediaEvents, status: 405, text: "POST"},
		"GET subscription":              {method: "GET", target: encoded("subscription{silence}"), status: 400, text: "websocket"},
		"GET for a page":                {method: "GET", target: encoded("{echo}"), accept: "text/html", status: 406, text: "accept one of them"},
		"POST for a page":               {body: `{"query":"mutation{change}"}`, accept: "text/html", status: 406, text: "accept one of them"},
		"a page, or whatever":           {body: `{"query":"{echo}"}`, accept: "text/html, */*;q=0.8", status: 200, text: `{"data":`},
		"PUT":                           {method: "PUT", status: 405, text: "POST"},
		"DELETE":                        {method: "DELETE", accept: mediaResponse, status: 405, media: asResponse, text: "POST"},
		"HEAD":                          {method: "HEAD", target: encoded("{echo}"), status: 405},
		"bad JSON for events":           {body: secret, accept: mediaEvents, status: 400, text: "JSON object"},
		"no query for the newer type":   {body: `{}`, accept: mediaResponse, status: 400, media: asResponse, text: "query: it is missing"},
		"nothing acceptable, bad query": {body: `{"query":"{"}`, accept: "image/png", status: 406, text: "accept one of them"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{"Content-Type": mediaJSON}
			switch test.contentType {
			case "":
			case "none":
				delete(header, "Content-Type")
			default:
				header["Content-Type"] = test.contentType
			}
			if test.accept != "" {
				header["Accept"] = test.accept
			}
			method, media := test.method, test.media
			if method == "" {
				method = http.MethodPost
			}
			if media == "" {
				media = asJSON
			}
			got := request(t, s, method, test.target, test.body, header)
			if got.status != test.status {
				t.Errorf("got status %d, want %d: %s", got.status, test.status, got.text)
			}
			for name, want := range map[string]string{"Content-Type": media, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
				if got := got.header.Get(name); got != want {
					t.Errorf("got %s: %s, want %s", name, got, want)
				}
			}
			if !strings.Contains(got.text, test.text) {
				t.Errorf("got %s, want something with %s", got.text, test.text)
			}
			if strings.Contains(got.text, secret) {
				t.Errorf("the answer repeats the request: %s", got.text)
			}
			if allow := got.header.Get("Allow"); got.status == 405 && !strings.Contains(allow, "POST") {
				t.Errorf("got Allow: %q, want POST in it", allow)
			}
			if strings.Contains(got.text, `"errors"`) && strings.Contains(got.text, `"data"`) {
				t.Errorf("nothing was executed, but there is data: %s", got.text)
			}
			if strings.HasPrefix(got.text, "{") && !json.Valid([]byte(got.text)) {
				t.Errorf("no JSON: %s", got.text)
			}
		})
	}
}

func TestHTTPOptions(t *testing.T) {
	t.Parallel()
	got := request(t, newStubServer(t, NewHTTP(HTTPOptions{})), http.MethodOptions, "", "", nil)
	if got.status != http.StatusNoContent || got.header.Get("Allow") != "GET, POST, OPTIONS" {
		t.Errorf("got %d, Allow: %s", got.status, got.header.Get("Allow"))
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":                              mediaJSON,
		"*/*":                           mediaJSON,
		"application/*":                 mediaJSON,
		"application/json":              mediaJSON,
		"Application/JSON":              mediaJSON,
		"application/json;charset=x":    mediaJSON,
		mediaResponse:                   mediaResponse,
		mediaResponse + ";q=0.1":        mediaResponse,
		mediaResponse + ", */*":         mediaResponse,
		"application/json, */*":         mediaJSON,
		mediaJSON + "," + mediaResponse: mediaResponse,
		mediaResponse + ",application/json;q=0.9":     mediaResponse,
		mediaResponse + ";q=0.5, application/json":    mediaJSON,
		mediaResponse + ";q=0.5, */*":                 mediaJSON,
		mediaResponse + ";q=0, application/*":         mediaJSON,
		"application/json;q=0, */*":                   mediaResponse,
		"text/html, application/xhtml+xml, */*;q=0.8": mediaJSON,
		"text/html":               "",
		"application/json;q=0":    "",
		"*/*;q=0":                 "",
		"application/json;q=2":    "",
		"application/json;q=x, ;": "",
		"text/*, image/png;q=0.3": "",
		mediaEvents:               "",
	} {
		var values []string
		if header != "" {
			values = []string{header}
		}
		got, ok := parseAccept(values).best()
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("Accept: %s: got %q, want %q", header, got, want)
		}
	}
}

func TestAcceptEvents(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"text/event-stream":                         true,
		"text/event-stream, */*":                    true,
		"text/event-stream, application/json;q=0.9": true,
		"text/event-stream, application/json":       false,
		"text/event-stream;q=0":                     false,
		"text/*":                                    false,
		"*/*":                                       false,
		"application/json":                          false,
	} {
		if got := parseAccept([]string{header}).prefersEvents(); got != want {
			t.Errorf("Accept: %s: got %t, want %t", header, got, want)
		}
	}
}
