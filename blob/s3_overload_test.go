package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/fault"
)

// refuses answers as a store does that refuses a request.
func refuses(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>hush</Message></Error>", code)
}

// testOverload uploads to a store that refuses all requests at first, for longer than
// its client tries them: they are made again until they succeed, few at once.
func testOverload(t *testing.T, server *blobtest.S3) {
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"SlowDown": func(w http.ResponseWriter) { refuses(w, http.StatusServiceUnavailable, "SlowDown") },
		"429":      func(w http.ResponseWriter) { refuses(w, http.StatusTooManyRequests, "TooManyRequests") },
		"500":      func(w http.ResponseWriter) { refuses(w, http.StatusInternalServerError, "InternalError") },
		"restarts": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := server.Options(t, server.Bucket(t)).WithPause(time.Millisecond, time.Hour)
			o.Part, o.Tries = part, 1
			var began atomic.Bool
			var mu sync.Mutex
			requests, running, most := map[string]int{}, 0, 0
			o.Endpoint = server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if !began.Load() || r.Method != http.MethodPut && r.Method != http.MethodPost {
					next.ServeHTTP(w, r)
					return
				}
				request := fmt.Sprint(r.Method, r.URL.Path, r.URL.Query().Get("partNumber"), r.URL.Query().Has("uploads"))
				mu.Lock()
				requests[request]++
				n := requests[request]
				if n > 1 {
					running++
					most = max(most, running)
				}
				mu.Unlock()
				if n > 1 {
					time.Sleep(2 * time.Millisecond) // an answer takes a while, so that some would run at once
					mu.Lock()
					running--
					mu.Unlock()
				}
				if n <= 3 {
					refuse(w)
					return
				}
				next.ServeHTTP(w, r)
			}).Endpoint
			s := newS3(t, o)
			began.Store(true)
			bodies := []string{large}
			for n := range 24 {
				bodies = append(bodies, fmt.Sprint("small ", n))
			}
			blobtest.Store(t, s, bodies...)
			for _, body := range bodies {
				blobtest.Check(t, s, body)
			}
			mu.Lock()
			defer mu.Unlock()
			if most > blob.Fewer {
				t.Errorf("requests that were made again at once: got %d, want no more than %d", most, blob.Fewer)
			}
			if len(requests) != 24+5 { // the large one has three parts, a beginning and an end
				t.Errorf("got %d requests: %v", len(requests), requests)
			}
		})
	}
}

// testPatience has a store refuse for good: what does not pass is not waited for, nor
// does anybody who reads, and patience ends, as it does with its context.
func testPatience(t *testing.T, server *blobtest.S3) {
	var status atomic.Int32
	answered := make(chan struct{}, 1000)
	behind := server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if code := int(status.Load()); code != 0 {
			refuses(w, code, "Refused")
			answered <- struct{}{}
			return
		}
		next.ServeHTTP(w, r)
	})
	open := func(pause, patience time.Duration) *blob.S3 {
		o := behind.Options(t, server.Bucket(t)).WithPause(pause, patience)
		o.Tries = 1
		return newS3(t, o)
	}
	eager, patient := open(time.Millisecond, 20*time.Millisecond), open(time.Hour, 1000*time.Hour)
	blobtest.Store(t, patient, "kept")

	status.Store(http.StatusServiceUnavailable)
	if err := commit(t, eager, []string{"new"}); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "try again") {
		t.Errorf("when patience ends: got %v, want Unavailable", err)
	}
	f, err := patient.Open(t.Context(), blobtest.Digest("kept"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadAll(f); !fault.Is(err, fault.Unavailable) {
		t.Errorf("reading: got %v, want Unavailable", err)
	}
	for len(answered) > 0 {
		<-answered
	}
	ctx, cancel := context.WithCancel(t.Context())
	staged := blobtest.Stage(t, patient, "new")
	defer patient.Discard(staged)
	done := make(chan error, 1)
	go func() { done <- patient.Commit(ctx, []blob.Staged{staged}) }()
	<-answered
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
	for _, code := range []int32{http.StatusForbidden, http.StatusInsufficientStorage, http.StatusBadRequest} {
		status.Store(code)
		if err := patient.Commit(t.Context(), []blob.Staged{staged}); err == nil {
			t.Errorf("%d: it was committed", code)
		}
	}
	status.Store(0)
	if err := patient.Commit(t.Context(), []blob.Staged{staged}); err != nil {
		t.Errorf("once it is well: %v", err)
	}
	blobtest.Check(t, patient, "new")
}
