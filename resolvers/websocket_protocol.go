package resolvers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/99designs/gqlgen/graphql"
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

// conversation is what client and server said to each other. gqlgen trusts
// clients to keep to the protocol; a conversation makes sure of it, and gives
// each subscription a number of its own, so that a client may use an id again
// while gqlgen still winds up the one before. It is safe for concurrent use.
type conversation struct {
	older bool
	limit int

	mu      sync.Mutex
	begun   bool
	last    int
	numbers map[string]int    // by the client's id: the subscriptions it listens to
	streams map[string]string // by number: the client's id of what gqlgen runs; empty if the client ended it
}

func newConversation(older bool, limit int) *conversation {
	return &conversation{older: older, limit: limit, numbers: map[string]int{}, streams: map[string]string{}}
}

// message is the envelope of both protocols.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// verdict is what becomes of a client's message; the zero verdict ignores it.
type verdict struct {
	code        int // if not 0: it breaks the protocol
	reason      string
	reply       []byte // what answers it without gqlgen
	forward     []byte // what gqlgen is to see
	initialized bool   // it introduced the client
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
		return c.init(m, text)
	case (kind == "ping" || kind == "pong") && !isObject(m.Payload) && !isNothing(m.Payload):
		return breaks(closeBadMessage, "Invalid message received: the payload of %s must be an object", m.Type)
	case kind == "ping" && !c.begun:
		return verdict{reply: encode(message{Type: "pong", Payload: m.Payload})}
	case kind == "pong" && !c.begun:
		return verdict{}
	case kind == "subscribe" && !c.begun:
		return breaks(closeUnauthorized, "Unauthorized")
	case kind == "subscribe":
		return c.subscribe(m)
	case kind == "complete" && m.ID == "":
		return breaks(closeBadMessage, "Invalid message received: %s needs an id", m.Type)
	case kind == "complete":
		return c.complete(m)
	case kind == "ping", kind == "pong", kind == "connection_terminate":
		return verdict{forward: text}
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

func (c *conversation) init(m message, text []byte) verdict {
	if c.begun {
		return breaks(closeTooManyInits, "Too many initialisation requests")
	}
	if !isObject(m.Payload) && !isNothing(m.Payload) {
		return breaks(closeBadMessage, "Invalid message received: the payload of connection_init must be an object")
	}
	c.begun = true
	return verdict{forward: text, initialized: true}
}

func (c *conversation) subscribe(m message) verdict {
	var fields map[string]json.RawMessage
	if m.ID == "" || json.Unmarshal(m.Payload, &fields) != nil || fields == nil {
		return breaks(closeBadMessage, "Invalid message received: %s needs an id, and a payload with a query", m.Type)
	}
	var request graphql.RawParams
	refused := readFields(&request, fields)
	if refused == nil && isNothing(fields["query"]) {
		refused = checkQuery(&request)
	}
	if refused != nil {
		return breaks(closeBadMessage, "Invalid message received: %s", fault.Message(refused.fault))
	}
	if _, ok := c.numbers[m.ID]; ok {
		return breaks(closeDuplicateID, "Subscriber for %s already exists", m.ID)
	}
	if len(c.streams) >= c.limit {
		return rejects(m.ID, over(fault.RateLimited, "subscriptions-per-socket", c.limit, fmt.Sprintf("you have %d operations under way on this socket", len(c.streams)), "end one first"))
	}
	c.last++
	c.numbers[m.ID] = c.last
	id := m.ID
	m.ID = strconv.Itoa(c.last)
	c.streams[m.ID] = id
	return verdict{forward: encode(m)}
}

func (c *conversation) complete(m message) verdict {
	number, ok := c.numbers[m.ID]
	if !ok {
		return verdict{} // the server's complete was on its way
	}
	delete(c.numbers, m.ID)
	m.ID = strconv.Itoa(number)
	c.streams[m.ID] = ""
	return verdict{forward: encode(m)}
}

// sent turns a message of gqlgen's into the one that the client is to see; nil
// if there is none, because the client ended the subscription or was told of
// its end already.
func (c *conversation) sent(text []byte) ([]byte, error) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("message to the client: %w", err)
	}
	if m.ID == "" {
		return text, nil
	}
	c.mu.Lock()
	id, ok := c.streams[m.ID]
	if m.Type == "complete" || m.Type == "error" {
		delete(c.streams, m.ID)
		delete(c.numbers, id)
	}
	c.mu.Unlock()
	if !ok || id == "" {
		return nil, nil
	}
	m.ID = id
	return encode(m), nil
}

// encode writes a message of strings and of JSON that was checked already.
func encode(m message) []byte {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // cannot be: RawMessages come from the decoder
	}
	return text
}

func isObject(text json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) }

func isNothing(text json.RawMessage) bool {
	return len(text) == 0 || bytes.Equal(bytes.TrimSpace(text), []byte("null"))
}
