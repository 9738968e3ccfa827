package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/fault"
)

// The protocols, as clients name them.
const (
	currentProtocol = "graphql-transport-ws"
	olderProtocol   = "graphql-ws" // of the library subscriptions-transport-ws
)

// The close codes of graphql-transport-ws. Clients take most for final; they
// come back after 4403 and 4408.
const (
	closeBadMessage   = 4400
	closeUnauthorized = 4401
	closeForbidden    = 4403
	closeNoProtocol   = 4406
	closeInitTimeout  = 4408
	closeDuplicateID  = 4409
	closeTooManyInits = 4429
)

// conversation is what client and server said to each other. It is safe for
// concurrent use.
type conversation struct {
	older bool
	limit int

	mu        sync.Mutex
	begun     bool
	exchanges map[string]*exchange // that the client listens to, by its ids
	running   int                  // exchanges, with those that the client ended and that are being wound up
}

func newConversation(older bool, limit int) *conversation {
	return &conversation{older: older, limit: limit, exchanges: map[string]*exchange{}}
}

// exchange is what a client asked for. It may use its id for another one as
// soon as it, or the server, ended this one.
type exchange struct {
	id      string
	quoted  []byte // the id, as JSON
	request graphql.RawParams
	cancel  context.CancelFunc // set before the next message is read
	over    bool               // nothing more is to be said of it; conversation.mu guards it
}

// message is the envelope of both protocols.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// verdict is what becomes of a client's message; the zero verdict ignores it.
type verdict struct {
	code    int // if not 0: the socket is to be closed with it
	reason  string
	reply   []byte                // what answers it
	init    bool                  // it introduces the client
	payload transport.InitPayload // with these words
	alive   bool                  // it shows that the client is there
	begin   *exchange             // what it asks for
	end     *exchange             // what it asks for no longer
}

func breaks(code int, format string, args ...any) verdict {
	return verdict{code: code, reason: fmt.Sprintf(format, args...)}
}

// rejects answers a request without running it.
func rejects(id string, err error) verdict {
	shown := &gqlerror.Error{}
	showFault(shown, err)
	payload, err := json.Marshal(gqlerror.List{shown})
	if err != nil {
		panic(err) // cannot be: it holds texts and numbers
	}
	return verdict{reply: encode(message{ID: id, Type: "error", Payload: payload})}
}

// initialized reports whether the client introduced itself.
func (c *conversation) initialized() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun
}

// received judges a message of the client.
func (c *conversation) received(isText bool, text []byte) verdict {
	var m message
	if !isText || json.Unmarshal(text, &m) != nil {
		return breaks(closeBadMessage, "Invalid message received")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch kind := c.kind(m.Type); {
	case kind == "connection_init":
		return c.init(m)
	case (kind == "ping" || kind == "pong") && !isObject(m.Payload) && !isNothing(m.Payload):
		return breaks(closeBadMessage, "Invalid message received: the payload of %s must be an object", m.Type)
	case kind == "ping":
		return verdict{reply: encode(message{Type: "pong", Payload: m.Payload})}
	case kind == "pong":
		return verdict{alive: c.begun}
	case kind == "subscribe" && !c.begun:
		return breaks(closeUnauthorized, "Unauthorized")
	case kind == "subscribe":
		return c.subscribe(m)
	case kind == "complete" && m.ID == "":
		return breaks(closeBadMessage, "Invalid message received: %s needs an id", m.Type)
	case kind == "complete":
		return c.complete(m)
	case kind == "connection_terminate":
		return breaks(websocket.CloseNormalClosure, "terminated")
	}
	return breaks(closeBadMessage, "Invalid message received: the type is unknown")
}

// kind names a type of the client's messages as the current protocol does.
func (c *conversation) kind(name string) string {
	if !c.older {
		if name == "connection_terminate" {
			return ""
		}
		return name
	}
	switch name {
	case "connection_init", "connection_terminate":
		return name
	case "start":
		return "subscribe"
	case "stop":
		return "complete"
	}
	return ""
}

func (c *conversation) init(m message) verdict {
	if c.begun {
		return breaks(closeTooManyInits, "Too many initialisation requests")
	}
	v := verdict{init: true}
	if !isNothing(m.Payload) && json.Unmarshal(m.Payload, &v.payload) != nil {
		return breaks(closeBadMessage, "Invalid message received: the payload of connection_init must be an object")
	}
	c.begun = true
	return v
}

func (c *conversation) subscribe(m message) verdict {
	var fields map[string]json.RawMessage
	if m.ID == "" || json.Unmarshal(m.Payload, &fields) != nil || fields == nil {
		return breaks(closeBadMessage, "Invalid message received: %s needs an id, and a payload with a query", m.Type)
	}
	o := &exchange{id: m.ID}
	refused := readFields(&o.request, fields)
	if refused == nil && isNothing(fields["query"]) {
		refused = checkQuery(&o.request)
	}
	if refused != nil {
		return breaks(closeBadMessage, "Invalid message received: %s", fault.Message(refused.fault))
	}
	if c.exchanges[m.ID] != nil {
		return breaks(closeDuplicateID, "Subscriber for %s already exists", m.ID)
	}
	if c.running >= c.limit {
		return rejects(m.ID, over(fault.RateLimited, "subscriptions-per-socket", c.limit, fmt.Sprintf("you have %d operations under way on this socket", c.running), "end one first"))
	}
	o.quoted = quote(m.ID)
	c.running++
	c.exchanges[m.ID] = o
	return verdict{begin: o}
}

func (c *conversation) complete(m message) verdict {
	o := c.exchanges[m.ID]
	if o == nil {
		return verdict{} // the server's complete was on its way
	}
	o.over = true
	delete(c.exchanges, m.ID)
	return verdict{end: o}
}

// says reports whether the client still listens to an operation. If what it is
// told is the last of it, it does not any more.
func (c *conversation) says(o *exchange, last bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.over {
		return false
	}
	if last {
		o.over = true
		delete(c.exchanges, o.id)
	}
	return true
}

// left makes room for another operation.
func (c *conversation) left() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
}

// encode writes a message of strings and of JSON that was checked already.
func encode(m message) []byte {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // cannot be: RawMessages come from the decoder
	}
	return text
}

func quote(s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot be: it is a text
	}
	return text
}

func isObject(text json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) }

func isNothing(text json.RawMessage) bool {
	return len(text) == 0 || bytes.Equal(bytes.TrimSpace(text), []byte("null"))
}
