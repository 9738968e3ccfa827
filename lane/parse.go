package lane

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

// exchange is a request with what it and its answer need, most of it as one piece
// of memory.
type exchange struct {
	request *http.Request
	answer  answer
	watch   watch
	url     url.URL
	values  [fewHeaders]string
}

// maxHeaders is how many a plain request may have, besides Host, and fewHeaders
// how many most have.
const maxHeaders, fewHeaders = 12, 4

const (
	pathBytes  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~+@:=,&$"    // that no URL writes in another way
	tokenBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~" // RFC 9110, section 5.6.2
	hostBytes  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]"
	firstPrint = ' '
	lastPrint  = '~'
)

var isPath, isToken, isHost = tableOf(pathBytes), tableOf(tokenBytes), tableOf(hostBytes)

func tableOf(allowed string) (table [256]bool) {
	for _, b := range []byte(allowed) {
		table[b] = true
	}
	return table
}

func all(text string, allowed *[256]bool) bool {
	for i := range len(text) {
		if !allowed[text[i]] {
			return false
		}
	}
	return true
}

// canonical are the headers that plain requests have, as they may be written.
// None of them says anything of how the request itself is framed, or of the
// connection, but for Connection itself, which may say only that it is kept.
var canonical = func() map[string]string {
	names := map[string]string{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Host",
		"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range", "User-Agent",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id",
	} {
		names[name], names[strings.ToLower(name)] = name, name
	}
	return names
}()

// parse reads a request that is plain, and complete in raw. It returns nil
// for any other. The syntax is that of RFC 9112, less whatever has more than one
// meaning.
func (c *conn) parse(raw []byte) *exchange {
	if !bytes.HasSuffix(raw, []byte("\r\n\r\n")) {
		return nil
	}
	text := string(raw[:len(raw)-2])
	line, rest, _ := strings.Cut(text, "\r\n")
	method, target, _ := strings.Cut(line, " ")
	target, ok := strings.CutSuffix(target, " HTTP/1.1")
	if !ok || method != http.MethodGet && method != http.MethodHead || !strings.HasPrefix(target, c.server.Prefix) || !all(target, &isPath) {
		return nil
	}
	x := &exchange{url: url.URL{Path: target}}
	header, host, values := make(http.Header, 8), "", x.values[:0]
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := cutHeader(line)
		if !ok {
			return nil
		}
		switch {
		case name == "Host":
			if host != "" || value == "" || !all(value, &isHost) {
				return nil
			}
			host = value
			continue
		case name == "Connection" && value != "keep-alive" && value != "Keep-Alive",
			header[name] != nil,
			len(values) == maxHeaders:
			return nil
		}
		n := len(values)
		values = append(values, value)
		header[name] = values[n : n+1 : n+1]
	}
	if host == "" {
		return nil
	}
	x.watch = watch{Context: c.blank.Context(), conn: c}
	x.request = c.blank.WithContext(&x.watch)
	x.request.Method, x.request.URL, x.request.RequestURI = method, &x.url, target
	x.request.Header, x.request.Host = header, host
	x.answer = answer{conn: c, header: c.header, head: method == http.MethodHead, length: -1}
	return x
}

// cutHeader takes a line apart. It reports false if it is not plain.
func cutHeader(line string) (name, value string, ok bool) {
	written, value, ok := strings.Cut(line, ":")
	name, known := canonical[written]
	if !ok || !known {
		return "", "", false
	}
	for i := range len(value) {
		if value[i] < firstPrint || value[i] > lastPrint {
			return "", "", false
		}
	}
	return name, strings.Trim(value, " "), true
}
