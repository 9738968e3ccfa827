package plainhttp

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// special are the headers by which an answer is not plain, or that
// http.ReadResponse changes.
var special = map[string]bool{"Transfer-Encoding": true, "Trailer": true, "Upgrade": true, "Pragma": true}

// readPlain reads the head of a response that is plain, if the buffer has all of it.
// It returns nil for any other, of which it takes nothing from the buffer.
func (c *conn) readPlain(r *http.Request) *http.Response {
	raw, _ := c.in.Peek(c.in.Buffered()) // it has them
	end := bytes.Index(raw, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	response := parse(string(raw[:end]))
	if response == nil {
		return nil
	}
	c.in.Discard(end + len("\r\n\r\n")) //nolint:errcheck // it has them
	response.Request = r
	if response.ContentLength > 0 {
		response.Body = &exactly{c.in, response.ContentLength}
	}
	return response
}

// parse reads the head of a plain response: 200 or 206 of HTTP/1.1 with one
// Content-Length, after which the connection stays. It returns nil for any other.
// The syntax is that of RFC 9112, less whatever has more than one meaning.
func parse(head string) *http.Response {
	line, rest, _ := strings.Cut(head, "\r\n")
	status, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	code, _, _ := strings.Cut(status, " ")
	if !ok || code != "200" && code != "206" || !httpguts.ValidHeaderFieldValue(status) {
		return nil // it may hold a line of its own, for those to whom LF ends one
	}
	response := &http.Response{Status: status, StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Body: http.NoBody}
	if code == "206" {
		response.StatusCode = http.StatusPartialContent
	}
	lines := strings.Count(rest, "\r\n") + 1
	response.Header = make(http.Header, lines)
	values := make([]string, 0, lines)
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil
		}
		name = http.CanonicalHeaderKey(name)
		switch {
		case special[name], name == "Connection" && !strings.EqualFold(value, "keep-alive"):
			return nil
		case name == "Content-Length":
			n, err := strconv.ParseUint(value, 10, 63) // nothing but digits
			if err != nil || response.Header[name] != nil {
				return nil
			}
			response.ContentLength = int64(n)
		case response.Header[name] != nil:
			response.Header.Add(name, value)
			continue
		}
		values = append(values, value)
		response.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if response.ContentLength < 0 {
		return nil
	}
	return response
}

// exactly is a body of as many bytes as are left.
type exactly struct {
	in   *bufio.Reader
	left int64
}

// Read implements io.Reader. The last bytes come with io.EOF.
func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.in.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	switch {
	case e.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements io.Closer.
func (*exactly) Close() error { return nil }
