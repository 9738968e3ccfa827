// Package cli holds the commands that are clients of the API. It talks to a
// server as any program would, over HTTP and WebSocket, and knows nothing else
// of Ream.
package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// client is a connection to a server.
type client struct {
	server string // http://127.0.0.1:8080
	http   *http.Client
}

func newClient(server string) *client {
	return &client{server: strings.TrimSuffix(server, "/"), http: &http.Client{Timeout: time.Minute}}
}

// apiError is what a server says of a request that it refused.
type apiError []struct {
	Message    string `json:"message"`
	Extensions struct {
		Code  string `json:"code"`
		Field string `json:"field"`
	} `json:"extensions"`
}

// Error is the messages, each with the field at fault.
func (e apiError) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Message
		if f := one.Extensions.Field; f != "" && !strings.Contains(one.Message, f) {
			lines[i] = f + ": " + one.Message
		}
	}
	return strings.Join(lines, "; ")
}

// response is what a server answers, by HTTP or in a frame.
type response struct {
	Data   json.RawMessage `json:"data"`
	Errors apiError        `json:"errors"`
}

func (r response) decode(into any) error {
	if len(r.Errors) > 0 {
		return r.Errors
	}
	if err := json.Unmarshal(r.Data, into); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	return nil
}

// do sends a query or mutation and reads its data.
func (c *client) do(ctx context.Context, document string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return fmt.Errorf("the request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server+"/graphql", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the server's address: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer answer.Body.Close()
	var r response
	if err := json.NewDecoder(io.LimitReader(answer.Body, 64<<20)).Decode(&r); err != nil {
		return fmt.Errorf("%s is no Ream server: it answered %s", c.server, answer.Status)
	}
	return r.decode(into)
}

// errLost says that a subscription's connection ended before its last frame.
var errLost = errors.New("the connection was lost")

// subscribe calls each with every frame's data, until the server ends the
// subscription.
func (c *client) subscribe(ctx context.Context, document string, variables map[string]any, each func(response) error) error {
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: 10 * time.Second}
	conn, _, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(c.server, "http")+"/graphql", nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := conn.WriteJSON(map[string]any{"type": "connection_init"}); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	for {
		var m struct {
			Type    string          `json:"type"`
			Payload json.RawMessage `json:"payload"`
		}
		if err := conn.ReadJSON(&m); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w: %w", errLost, err)
		}
		switch m.Type {
		case "connection_ack":
			err = conn.WriteJSON(map[string]any{"type": "subscribe", "id": "1", "payload": map[string]any{"query": document, "variables": variables}})
		case "ping":
			err = conn.WriteJSON(map[string]any{"type": "pong"})
		case "next":
			var r response
			if err := json.Unmarshal(m.Payload, &r); err != nil {
				return fmt.Errorf("a frame: %w", err)
			}
			if err := each(r); err != nil {
				return err
			}
		case "error":
			var refused apiError
			if err := json.Unmarshal(m.Payload, &refused); err != nil {
				return fmt.Errorf("a frame: %w", err)
			}
			return refused
		case "complete":
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
}
