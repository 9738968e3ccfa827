package lane

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// sniffed is how much of a body http.DetectContentType looks at.
const sniffed = 512

// answer is the http.ResponseWriter of a plain request. What is framed how follows
// RFC 9112, section 6: a length that the handler or the size of a small body
// tells, or chunks.
type answer struct {
	conn   *conn
	header http.Header
	head   bool  // nothing of the body is sent
	length int64 // of the body, as the handler told; -1 if it did not

	status  int  // 0 as long as there is none
	typed   bool // the handler says what the body is, or that it is encoded
	dated   bool // the handler says when it was made
	begun   bool // the headers are complete
	chunked bool
	closing bool // the client is told that the connection ends with the answer
	over    bool
	written int64
	err     error // of the connection
}

var errOver = errors.New("the request was answered already")

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic(fmt.Sprintf("lane: no status is %d", status))
	case a.status != 0 || a.over:
		a.conn.server.logf("http: superfluous WriteHeader of %d after %d", status, a.status)
		return
	case status < 200:
		if status != http.StatusSwitchingProtocols { // which nobody was asked for
			a.startHead(status, nil)
			a.conn.out = append(a.conn.out, "\r\n"...)
			a.flush(nil)
		}
		return
	}
	if told := a.header["Content-Length"]; len(told) > 0 {
		n, err := strconv.ParseInt(told[0], 10, 64)
		if err == nil && n >= 0 {
			a.length = n
		} else {
			a.conn.server.logf("http: invalid Content-Length of %q", told[0])
			a.header.Del("Content-Length")
		}
	}
	_, a.typed = a.header["Content-Type"] // or that nothing is to be said of it
	a.typed = a.typed || a.header.Get("Content-Encoding") != ""
	a.settle(status, nil)
}

// WriteHead implements HeadWriter.
func (a *answer) WriteHead(status int, head *Head) {
	if a.status != 0 || a.over || !hasBody(status) || status > 999 {
		head.addTo(a.header)
		a.WriteHeader(status)
		return
	}
	a.length, a.typed = head.length, true
	a.settle(status, head)
}

// settle begins an answer that there will be no other of.
func (a *answer) settle(status int, made *Head) {
	a.status = status
	if said := a.header["Connection"]; len(said) > 0 && said[0] == "close" {
		a.closing = true
	}
	_, a.dated = a.header["Date"]
	a.startHead(status, made)
}

// startHead writes what the handler says, in the order of the names, and what was
// made behind it, unless that is nil. What comes with it later depends on the body.
func (a *answer) startHead(status int, made *Head) {
	line, ok := usual[status]
	if !ok {
		line = statusLine(status)
	}
	out := append(a.conn.out, line...)
	out = appendHeaders(out, a.header, func(name string) bool {
		return (name != "Content-Length" || hasBody(status)) &&
			(name != "Content-Type" || status != http.StatusNotModified) &&
			(made == nil || !made.has(name))
	})
	if made != nil {
		out = append(out, made.lines...)
	}
	a.conn.out = out
}

// endHead completes the headers. first is what the body begins with, and whole
// says that there is no more of it.
func (a *answer) endHead(first []byte, whole bool) {
	a.begun = true
	out := a.conn.out
	if !a.dated {
		out = append(out, a.conn.server.dateLine()...)
	}
	if hasBody(a.status) {
		sent := !a.head
		switch {
		case a.length >= 0:
		case whole && (sent || len(first) > 0): // else a handler may have saved itself the body
			out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(len(first)), 10), "\r\n"...)
		default:
			a.chunked = sent
		}
		if !a.typed && len(first) > 0 {
			out = appendHeader(out, "Content-Type", http.DetectContentType(first))
		}
	}
	if !a.closing && a.conn.server.ending.Load() {
		a.closing = true
		out = append(out, "Connection: close\r\n"...)
	}
	if a.chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	a.conn.out = append(out, "\r\n"...)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.over {
		return 0, errOver
	}
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case !hasBody(a.status):
		return 0, http.ErrBodyNotAllowed
	}
	if a.written += int64(len(p)); a.length >= 0 && a.written > a.length {
		return 0, http.ErrContentLength
	}
	rest := p
	if !a.begun {
		if rest = a.keep(p); len(rest) == 0 {
			return len(p), nil
		}
		a.begin(rest)
	}
	a.send(rest)
	if a.err != nil {
		return 0, a.err
	}
	return len(p), nil
}

// keep keeps the beginning of a body of which it is to be found out how long or
// of what type it is, and returns the rest.
func (a *answer) keep(p []byte) (rest []byte) {
	if a.length >= 0 && a.typed || len(a.conn.body) == 0 && len(p) > bodySize {
		return p
	}
	n := min(len(p), bodySize-len(a.conn.body))
	a.conn.body = append(a.conn.body, p[:n]...)
	return p[n:]
}

// begin sends the headers and what was kept of the body, behind which next
// comes.
func (a *answer) begin(next []byte) {
	kept := a.conn.body
	if len(kept) > 0 {
		next = kept
	}
	a.endHead(next, false)
	a.send(kept)
}

// send sends a part of the body.
func (a *answer) send(p []byte) {
	if a.head || len(p) == 0 {
		return
	}
	if a.chunked {
		a.conn.out = append(strconv.AppendInt(a.conn.out, int64(len(p)), 16), "\r\n"...)
		defer func() { a.conn.out = append(a.conn.out, "\r\n"...) }()
	}
	if len(a.conn.out)+len(p)+len("\r\n") <= outSize {
		a.conn.out = append(a.conn.out, p...)
	} else {
		a.flush(p)
	}
}

// flush writes what there is, and p behind it.
func (a *answer) flush(p []byte) {
	if a.err == nil && len(a.conn.out)+len(p) > 0 {
		a.err = a.conn.write(p)
	}
	a.conn.out = a.conn.out[:0]
}

// FlushError is for http.ResponseController.
func (a *answer) FlushError() error {
	if a.over {
		return errOver
	}
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.begun {
		a.begin(nil)
	}
	a.flush(nil)
	return a.err
}

// ReadFrom implements io.ReaderFrom. The kernel sends files by itself, once
// there is something to send.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	writer := struct{ io.Writer }{a}
	var first int64
	if !a.begun {
		var err error
		if first, err = io.Copy(writer, io.LimitReader(r, sniffed)); err != nil || first < sniffed {
			return first, err
		}
	}
	if a.length < 0 || a.head || !hasBody(a.status) || a.over {
		n, err := io.Copy(writer, r)
		return first + n, err
	}
	if !a.begun {
		a.begin(nil)
	}
	a.flush(nil)
	if a.err != nil {
		return first, a.err
	}
	told, rest := r, a.length-a.written
	l, ok := r.(*io.LimitedReader)
	bounded := ok && l.N <= rest
	if !bounded {
		told = io.LimitReader(r, rest)
	}
	n, err := a.conn.tcp.ReadFrom(told)
	a.written += n
	if err == nil && !bounded {
		_, err = io.Copy(writer, r) // fails if there is more than was told
	}
	return first + n, err
}

// finish sends what is left, and reports whether the connection can be kept.
func (a *answer) finish() bool {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.begun {
		a.endHead(a.conn.body, true)
		a.send(a.conn.body)
	}
	if a.chunked {
		a.conn.out = append(a.conn.out, "0\r\n\r\n"...)
	}
	a.flush(nil)
	a.over = true
	unlike := a.length >= 0 && !a.head && hasBody(a.status) && a.written != a.length
	return a.err == nil && !a.closing && !unlike
}
