package rest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestUploadThatBreaksOff has a client that sends less than it said. That is no
// defect of the server's.
func TestUploadThatBreaksOff(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	answered := make(chan Exchange, 1)
	stub := &stub{}
	s := serve(t, stub, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Answered: func(_ context.Context, e Exchange) { answered <- e }})
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := fmt.Fprintf(connection, "PATCH %suploads/upload-1 HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\nhalf",
		Prefix, mediaOffset); err != nil {
		t.Fatal(err)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if e := <-answered; e.Status != statusClientGone || e.Method != http.MethodPatch {
		t.Errorf("got %+v", e)
	}
	s.Close()
	if text := log.String(); strings.Contains(text, "ERROR") || !strings.Contains(text, `level=INFO msg="an upload broke off"`) || !strings.Contains(text, "unexpected EOF") {
		t.Errorf("logged: %s", text)
	}
	if stub.received != "half" {
		t.Errorf("got %q", stub.received)
	}
}
