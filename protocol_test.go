package main_test

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestSocketsCloseByTheProtocol(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	const (
		initialize = `{"type":"connection_init"}`
		queue      = `{"type":"subscribe","id":"1","payload":{"query":"subscription { queue { counts { total } } }"}}`
	)
	tests := []struct {
		name, protocol string
		send           []string
		want           int
	}{
		{"no protocol", "", nil, 4406},
		{"subscribe before init", "graphql-transport-ws", []string{queue}, 4401},
		{"two inits", "graphql-transport-ws", []string{initialize, initialize}, 4429},
		{"no JSON", "graphql-transport-ws", []string{initialize, `{`}, 4400},
		{"unknown type", "graphql-transport-ws", []string{initialize, `{"type":"start"}`}, 4400},
		{"payload of init is no object", "graphql-transport-ws", []string{`{"type":"connection_init","payload":"x"}`}, 4400},
		{"subscribe without id", "graphql-transport-ws", []string{initialize, `{"type":"subscribe","payload":{}}`}, 4400},
		{"the same id twice", "graphql-transport-ws", []string{initialize, "ack", queue, queue}, 4409},
		{"a message too big", "graphql-transport-ws", []string{initialize, `{"type":"ping","payload":{"x":"` + strings.Repeat("x", 200<<10) + `"}}`}, websocket.CloseMessageTooBig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, p, tt.protocol)
			for _, message := range tt.send {
				if message == "ack" {
					if _, _, err := conn.ReadMessage(); err != nil {
						t.Fatal(err)
					}
				} else if err := conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
					t.Fatal(err)
				}
			}
			for {
				_, _, err := conn.ReadMessage()
				if err == nil {
					continue
				}
				if !websocket.IsCloseError(err, tt.want) {
					t.Errorf("got %v, want close code %d", err, tt.want)
				}
				return
			}
		})
	}
}

func TestUnknownTopicIsNotFound(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	conn := dial(t, p, "graphql-transport-ws")
	for _, message := range []string{`{"type":"connection_init"}`, `{"type":"subscribe","id":"1","payload":{"query":"subscription { taskGroup(id: \"group-99\") { id } }"}}`} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
		_, text, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(message, "subscribe") && !strings.Contains(string(text), "NOT_FOUND") {
			t.Errorf("got %s, want NOT_FOUND", text)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command(t, path, "demo", "--exit")
	if err != nil || !strings.Contains(out, "18 completed of 18") || !strings.Contains(out, "its SHA-256 is the one that is published") {
		t.Errorf("got %v:\n%s", err, out)
	}
}
