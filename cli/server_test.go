package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// asked is an operation that a client sent.
type asked struct {
	OperationName string
	Query         string
	Variables     json.RawMessage
}

// answers is a server that says what a test lets it say. It speaks the
// server's protocols: GraphQL over HTTP and graphql-transport-ws.
type answers struct {
	*httptest.Server
	t *testing.T
	// operations are the answers by the operation's name.
	operations map[string]string
	// sockets are what is done on each connection, in turn.
	sockets []func(*connection)

	mu    sync.Mutex
	asked []asked
}

// newAnswers starts the server. Its methods are called by the server's own
// goroutines, so they report with Errorf.
func newAnswers(t *testing.T, operations map[string]string, sockets ...func(*connection)) *answers {
	t.Helper()
	a := &answers{t: t, operations: operations, sockets: sockets}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/graphql" {
		http.NotFound(w, r)
		return
	}
	if websocket.IsWebSocketUpgrade(r) {
		a.socket(w, r)
		return
	}
	var one asked
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		a.t.Errorf("request: %v", err)
	}
	a.mu.Lock()
	a.asked = append(a.asked, one)
	a.mu.Unlock()
	answer, ok := a.operations[one.OperationName]
	if !ok {
		a.t.Errorf("unexpected operation %s", one.OperationName)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, answer)
}

func (a *answers) socket(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	if len(a.sockets) == 0 {
		a.mu.Unlock()
		http.Error(w, "no more", http.StatusServiceUnavailable)
		return
	}
	script := a.sockets[0]
	a.sockets = a.sockets[1:]
	a.mu.Unlock()
	upgrader := websocket.Upgrader{Subprotocols: []string{"graphql-transport-ws"}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		a.t.Errorf("upgrade: %v", err)
		return
	}
	defer conn.Close()
	c := &connection{a.t, conn}
	c.wants("connection_init")
	c.sends(`{"type":"connection_ack"}`)
	c.wants(`"subscribe"`)
	script(c)
}

// sent are the variables of an operation, as they were sent.
func (a *answers) sent(operation string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.asked {
		if one.OperationName == operation {
			return string(one.Variables)
		}
	}
	return ""
}

// connection is a client's WebSocket, as the server sees it.
type connection struct {
	t *testing.T
	*websocket.Conn
}

func (c *connection) sends(text string) {
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Errorf("send: %v", err)
	}
}

func (c *connection) wants(part string) {
	_, text, err := c.ReadMessage()
	if err != nil || !strings.Contains(string(text), part) {
		c.t.Errorf("got %s and error %v, want a message with %s", text, err, part)
	}
}

// frame sends a frame of a group.
func (c *connection) frame(state string, counts string) {
	c.sends(`{"id":"1","type":"next","payload":{"data":{"taskOrGroup":` + groupFrame(state, counts) + `}}}`)
}

// closes ends the connection as a server does that restarts.
func (c *connection) closes() {
	message := websocket.FormatCloseMessage(websocket.CloseServiceRestart, "Service restart")
	if err := c.WriteMessage(websocket.CloseMessage, message); err != nil {
		c.t.Errorf("close: %v", err)
	}
}

// groupFrame is a group in an answer.
func groupFrame(state, counts string) string {
	finished := state == "COMPLETED" || state == "FAILED"
	return fmt.Sprintf(`{"__typename":"TaskGroup","id":"group-7","name":"sync 2 repositories","state":%q,"finished":%t,"counts":{%s},"progress":{}}`, state, finished, counts)
}
