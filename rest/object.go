package rest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/task"
)

// bodyLimit bounds the body of a request, in bytes.
const bodyLimit = 1 << 20

// object is a JSON object of a request. Its fields are taken one after the
// other; the first one that is not as it must be decides what done returns.
// Null is as good as nothing.
type object struct {
	inside string // the field that holds the object; empty for the body
	key    string // of the header Idempotency-Key; empty for none
	fields map[string]json.RawMessage
	err    error
}

// readBody reads the body of a request, which must be a JSON object.
func readBody(w http.ResponseWriter, r *http.Request) (*object, error) {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := parameters["charset"]
	if err != nil || media != mediaJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, refuse(http.StatusUnsupportedMediaType, "send the request as JSON in UTF-8, with Content-Type: %s", mediaJSON)
	}
	connection := http.NewResponseController(w)
	text, err := io.ReadAll(http.MaxBytesReader(w, stallingBody{r.Body, connection}, bodyLimit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the request is larger than %d bytes: send less at once", bodyLimit)
	}
	if err != nil {
		return nil, fault.New(fault.BadInput, "the body could not be read to its end")
	}
	_ = connection.SetReadDeadline(time.Time{})
	return parseBody(text)
}

// bodyStall is for how long a client may send nothing of a body.
const bodyStall = 10 * time.Second

// stallingBody is a body of which something has to come all the time.
type stallingBody struct {
	io.ReadCloser
	connection *http.ResponseController
}

func (b stallingBody) Read(p []byte) (int, error) {
	_ = b.connection.SetReadDeadline(time.Now().Add(bodyStall)) // not all connections have one
	return b.ReadCloser.Read(p)
}

func parseBody(text []byte) (*object, error) {
	o := &object{}
	if !utf8.Valid(text) || json.Unmarshal(text, &o.fields) != nil || o.fields == nil {
		return nil, fault.New(fault.BadInput, `the body is no JSON object: send {"repositories": …} or {"id": …}`)
	}
	return o, nil
}

// given are the fields as they were sent.
func (o *object) given() map[string]any {
	given := make(map[string]any, len(o.fields))
	for name, text := range o.fields {
		var value any
		if json.Unmarshal(text, &value) == nil { // it was part of what is JSON
			given[name] = value
		}
	}
	return given
}

// take decodes a field, and reports whether it is there.
func (o *object) take(name string, into any, want string) bool {
	there, text := o.has(name), o.fields[name]
	delete(o.fields, name)
	if !there {
		return false
	}
	if json.Unmarshal(text, into) != nil {
		o.fail(name, "want %s in JSON", want)
		return false
	}
	return true
}

// has reports whether a field is there, and is not null.
func (o *object) has(name string) bool {
	text, ok := o.fields[name]
	return ok && string(text) != "null"
}

func (o *object) fail(name, format string, args ...any) {
	if o.err == nil {
		o.err = fault.Input(o.path(name), format, args...)
	}
}

func (o *object) path(name string) string {
	if o.inside == "" {
		return name
	}
	return o.inside + "." + name
}

// done returns what is wrong with the object, and refuses fields that nobody
// took: they would seem to have an effect.
func (o *object) done() error {
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		return fault.Input(o.path(printable(name)), "there is no such field here: see %sopenapi.json", Prefix)
	}
	return o.err
}

// printable makes of a name of a client's what an error may repeat.
func printable(name string) string {
	const most = 80
	if len(name) > most {
		name = name[:most] + "…"
	}
	return strings.ToValidUTF8(name, "")
}

func (o *object) text(name string) (s string) {
	o.take(name, &s, "a string")
	return s
}

// idempotencyKey takes the key, which may be in the header as well.
func (o *object) idempotencyKey() string {
	const name = "idempotencyKey"
	key := o.text(name)
	if key != "" && o.key != "" && key != o.key {
		o.fail(name, "it is not what the header Idempotency-Key says: give one of them")
	}
	return cmp.Or(key, o.key)
}

func (o *object) bool(name string, otherwise bool) bool {
	b := otherwise
	if !o.take(name, &b, "true or false") {
		return otherwise
	}
	return b
}

// number takes a number of 1 or more; 0 if it is not there.
func (o *object) number(name string) int {
	n, _ := o.whole(name, 1)
	return n
}

// whole takes a number that is not below the least. It tells whether there is
// one.
func (o *object) whole(name string, least int) (n int, given bool) {
	want := fmt.Sprintf("a whole number of %d or more", least)
	var read int64
	if !o.take(name, &read, want) {
		return 0, false
	}
	if read < int64(least) || read > math.MaxInt32 {
		o.fail(name, "want %s, not %d", want, read)
		return 0, false
	}
	return int(read), true
}

func (o *object) priority() task.Priority {
	p := task.Normal
	o.take("priority", &p, "a string")
	if !slices.Contains([]task.Priority{task.High, task.Normal, task.Low}, p) {
		o.fail("priority", "want HIGH, NORMAL or LOW")
	}
	return p
}

func (o *object) onError() content.OnError {
	e := content.Fail
	o.take("onError", &e, "a string")
	if e != content.Fail && e != content.Skip {
		o.fail("onError", "want FAIL or SKIP")
	}
	return e
}

// selector takes the selection of repositories.
func (o *object) selector() catalog.Selector {
	const name = "repositories"
	in := &object{inside: name}
	if !o.take(name, &in.fields, `an object, such as {"names": ["fedora-40"]}`) {
		o.fail(name, `it is missing: send {"names": [...]}, {"ids": [...]}, {"labels": "..."} or {"all": true}`)
		return catalog.Selector{}
	}
	var (
		ids, names []string
		labels     *string
		all        *bool
	)
	in.take("ids", &ids, "an array of strings")
	in.take("names", &names, "an array of strings")
	in.take("labels", &labels, "a string")
	in.take("all", &all, "true")
	err := in.done()
	var s catalog.Selector
	if err == nil {
		s, err = catalog.NewSelector(ids, names, labels, all)
	}
	if o.err == nil {
		o.err = err
	}
	return s
}

func (o *object) texts(name string) (all []string) {
	o.take(name, &all, "an array of strings")
	return all
}

// digest takes a SHA-256; empty if it is not there.
func (o *object) digest(name string) content.Digest {
	text := o.text(name)
	if text == "" {
		return ""
	}
	d, err := content.ParseDigest(text)
	if err != nil {
		o.fail(name, "%v", err)
	}
	return d
}

// ids takes the ids of a noun.
func ids[K ~int64](o *object, name, noun string) []K {
	texts := o.texts(name)
	keys := make([]K, len(texts))
	for i, text := range texts {
		var err error
		if keys[i], err = content.ParseID[K](noun, text); err != nil {
			o.fail(name, "there is no %s %.80q: ids look like %s-12", noun, printable(text), noun)
		}
	}
	return keys
}

// id takes the id of a noun, which must be there.
func id[K ~int64](o *object, name, noun string) K {
	text := o.text(name)
	key, err := content.ParseID[K](noun, text)
	if err != nil {
		o.fail(name, "want the id of a %s: %s-12", noun, noun)
	}
	return key
}
