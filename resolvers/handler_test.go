package resolvers

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ream/access"
	"ream/task"
)

// openGuard lets everybody in.
type openGuard struct{}

func (openGuard) Identify(context.Context, string, string) (access.Principal, error) {
	return access.Principal{Kind: access.Anonymous, Role: access.Admin}, nil
}

func (openGuard) Stay(ctx context.Context) (context.Context, func()) { return ctx, func() {} }

// admitted makes every request that of somebody who may do everything.
func admitted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r.WithContext(asAdmin(r.Context()))) })
}

func TestStreamsEndWithoutOtherRequests(t *testing.T) {
	t.Parallel()
	const subscribe = `{"id":"1","type":"subscribe","payload":{"query":"subscription{queue{counts{total}}}"}}`
	const frame = `{"id":"1","type":"next","payload":{"data":{"queue":{"counts":{"total":0}}}}}`
	h := NewHandler(Resolver{Store: &memory{}, Hub: endless{&task.Queue{}}, Now: time.Now}, Options{Log: slog.New(slog.DiscardHandler), Guard: openGuard{}})
	s := &stubServer{Server: httptest.NewServer(admitted(h))}
	t.Cleanup(s.Close)
	sockets := []probe{dial(t, s, currentProtocol), dial(t, s, currentProtocol)}
	sockets[0].say(sayInit, subscribe).expect(hearAck, frame)
	streamed := bufio.NewReader(events(t, t.Context(), s, "subscription{queue{counts{total}}}").Body)
	for line := ""; line != "event: next\n"; {
		var err error
		if line, err = streamed.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}

	// Its body is sent in two parts, and in between the streams end.
	reader, writer := io.Pipe()
	answered := make(chan string, 1)
	go func() {
		r, err := http.NewRequest(http.MethodPost, s.URL, reader)
		if err != nil {
			answered <- err.Error()
			return
		}
		r.Header.Set("Content-Type", mediaJSON)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answered <- string(text)
	}()
	if _, err := io.WriteString(writer, `{"query":`); err != nil {
		t.Fatal(err)
	}

	h.EndStreams()
	for _, p := range sockets {
		p.expect(1012)
	}
	text, err := io.ReadAll(streamed)
	if err != nil || strings.Contains(string(text), "complete") {
		t.Errorf("events: got %q, %v, want the end without complete", text, err)
	}
	dial(t, s, currentProtocol).expect(1012)
	h.Wait()

	if _, err := io.WriteString(writer, `"{repositories{totalCount}}"}`); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if got, want := <-answered, `{"data":{"repositories":{"totalCount":10}}}`; got != want {
		t.Errorf("a request under way: got %s, want %s", got, want)
	}
}
