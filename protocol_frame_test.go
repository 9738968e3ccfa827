package main_test

import (
	"bufio"
	bits "encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The kinds of frames of a WebSocket; final is the bit of a message's last one.
const (
	final        = 0x80
	continuation = 0x0
	textFrame    = 0x1
	binaryFrame  = 0x2
	closeFrame   = 0x8
	pingFrame    = 0x9
	pongFrame    = 0xA
)

// frame is a client's frame, masked with zeros.
func frame(head byte, payload string) string {
	b := []byte{head}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = bits.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = bits.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return string(b) + "\x00\x00\x00\x00" + payload
}

// wire is a WebSocket without a library: it says bytes.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func openWire(t *testing.T, p *program) wire {
	t.Helper()
	host := strings.TrimPrefix(p.address, "http://")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w := wire{conn, bufio.NewReader(conn)}
	if err := w.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	w.say(t, "GET /graphql HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: "+currentProtocol+"\r\n\r\n")
	response, err := http.ReadResponse(w.in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %+v, %v", response, err)
	}
	return w
}

func (w wire) say(t *testing.T, bytes string) {
	t.Helper()
	if _, err := io.WriteString(w, bytes); err != nil {
		t.Fatal(err)
	}
}

// hear reads a frame of the server. A close frame is told by its code.
func (w wire) hear(t *testing.T) string {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		t.Fatalf("no frame: %v", err)
	}
	payload := make([]byte, head[1]) // none that is expected is longer than 125
	if _, err := io.ReadFull(w.in, payload); err != nil || len(payload) > 125 {
		t.Fatalf("a frame of %d bytes: %v", len(payload), err)
	}
	switch {
	case head[0] == final|closeFrame && len(payload) >= 2:
		return fmt.Sprint("close ", bits.BigEndian.Uint16(payload))
	case head[0] == final|pongFrame:
		return "pong " + string(payload)
	case head[0] == final|textFrame:
		return string(payload)
	}
	return fmt.Sprintf("%#x %q", head[0], payload)
}

func TestSocketsKeepToTheirFrames(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	const ack = `{"type":"connection_ack"}`
	begin := frame(final|textFrame, initialize)
	t.Run("at once", func(t *testing.T) {
		for _, tt := range []struct {
			name string
			say  []string // each is sent on its own
			hear []string
		}{
			{"a message in three frames", []string{frame(textFrame, initialize[:5]), frame(continuation, initialize[5:9]), frame(final|continuation, initialize[9:])}, []string{ack}},
			{"a ping between the frames of a message", []string{frame(textFrame, initialize[:5]), frame(final|pingFrame, "x"), frame(final|continuation, initialize[5:])}, []string{"pong x", ack}},
			{"a frame byte by byte", strings.Split(begin, ""), []string{ack}},
			{"many frames at once", []string{begin + frame(final|pingFrame, "") + frame(final|textFrame, `{"type":"ping"}`)}, []string{ack, "pong ", `{"type":"pong"}`}},
			{"a pong that nobody asked for", []string{frame(final|pongFrame, "x") + begin}, []string{ack}},
			{"the client closes", []string{begin, frame(final|closeFrame, "\x03\xe8bye")}, []string{ack, "close 1000"}},
			{"binary", []string{frame(final|binaryFrame, initialize)}, []string{"close 4400"}},
			{"an empty message", []string{frame(final|textFrame, "")}, []string{"close 4400"}},
			{"bytes that are no UTF-8", []string{begin, frame(final|textFrame, "\xff\xfe{}")}, []string{ack, "close 4400"}},
			{"without a mask", []string{"\x81\x02{}"}, []string{"close 1002"}},
			{"bits that are reserved", []string{frame(final|0x40|textFrame, initialize)}, []string{"close 1002"}},
			{"an unknown kind of frame", []string{frame(final|0x3, "")}, []string{"close 1002"}},
			{"a continuation of nothing", []string{frame(final|continuation, initialize)}, []string{"close 1002"}},
			{"a message within a message", []string{frame(textFrame, "{") + begin}, []string{"close 1002"}},
			{"a ping in two frames", []string{frame(pingFrame, "x")}, []string{"close 1002"}},
			{"a long ping", []string{frame(final|pingFrame, strings.Repeat("x", 126))}, []string{"close 1002"}},
			{"a length beyond all memory", []string{begin, "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"}, []string{ack, "close 1009"}},
			{"frames that sum up to too much", []string{begin, frame(textFrame, strings.Repeat(" ", 100<<10)), frame(final|continuation, strings.Repeat(" ", 100<<10))}, []string{ack, "close 1009"}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				w := openWire(t, p)
				for _, bytes := range tt.say {
					w.say(t, bytes)
				}
				for _, want := range tt.hear {
					if got := w.hear(t); got != want {
						t.Fatalf("got %q, want %q", got, want)
					}
				}
			})
		}
		t.Run("half a frame and gone", func(t *testing.T) {
			t.Parallel()
			w := openWire(t, p)
			w.say(t, begin[:7])
			w.Close()
		})
	})
	// Whatever they said, the server has an ear for others.
	if query[struct{ Typename string }](p, `{ typename: __typename }`, nil).Typename != "Query" {
		t.Error("the server does not answer any more")
	}
}
