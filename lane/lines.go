package lane

import (
	"net/http"
	"strconv"
	"strings"
)

// usual are the first lines of most answers.
var usual = func() map[int]string {
	lines := map[int]string{}
	for _, status := range []int{http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusNotFound} {
		lines[status] = statusLine(status)
	}
	return lines
}()

// statusLine is the first line of an answer.
func statusLine(status int) string {
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	return "HTTP/1.1 " + strconv.Itoa(status) + " " + text + "\r\n"
}

// appendHeaders appends lines of headers in the order of their names, of those that
// are wanted and that it is not for the server to say.
func appendHeaders(out []byte, h http.Header, wanted func(name string) bool) []byte {
	var few [16]string
	names := few[:0]
	for name := range h {
		i := len(names)
		names = append(names, name)
		for ; i > 0 && names[i-1] > name; i-- { // there are few of them
			names[i] = names[i-1]
		}
		names[i] = name
	}
	for _, name := range names {
		if name == "Transfer-Encoding" || name == "Trailer" || name == "" || !all(name, &isToken) || !wanted(name) { // among them the names of trailers
			continue
		}
		for _, value := range h[name] {
			out = appendHeader(out, name, value)
		}
	}
	return out
}

// appendHeader appends a line, which is one whatever the value holds.
func appendHeader(out []byte, name, value string) []byte {
	out = append(append(out, name...), ": "...)
	from := len(out)
	out = append(out, strings.Trim(value, " \t\r\n")...)
	for i := from; i < len(out); i++ {
		if out[i] == '\r' || out[i] == '\n' {
			out[i] = ' '
		}
	}
	return append(out, "\r\n"...)
}

// hasBody reports whether answers with a status have a body, as RFC 9110, section
// 6.4.1 says.
func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
