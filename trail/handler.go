package trail

import (
	"log/slog"
	"net/http"
	"time"
)

// Answer is what was answered to a request.
type Answer struct {
	Status int
	Bytes  int64 // of the body
}

// exchange is what each request and its answer need, as one piece of memory.
type exchange struct {
	Recorder
	identified
	header [1]string
}

// Handler gives each request an id: the one in its X-Request-Id, unless that is
// unfit, or a new one. Once a request is answered it logs it at the debug level,
// without its query, which may hold secrets, and calls answered.
func Handler(next http.Handler, log *slog.Logger, answered func(*http.Request, Answer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var began time.Time
		logged := log.Enabled(r.Context(), slog.LevelDebug)
		if logged {
			began = time.Now()
		}
		id := NewID()
		if sent := r.Header[Header]; len(sent) > 0 && isSane(sent[0]) {
			id = sent[0]
		}
		x := &exchange{Recorder{ResponseWriter: w}, identified{r.Context(), id}, [1]string{id}}
		w.Header()[Header] = x.header[:]
		r = r.WithContext(&x.identified)
		recorder, panics := &x.Recorder, true
		defer func() {
			a := Answer{recorder.Status(), recorder.Bytes()}
			if panics && recorder.status == 0 {
				a.Status = http.StatusInternalServerError
			}
			if logged {
				log.DebugContext(r.Context(), "answered", "method", r.Method, "path", r.URL.Path, "status", a.Status, "bytes", a.Bytes, "took", time.Since(began), "from", r.RemoteAddr)
			}
			answered(r, a)
		}()
		next.ServeHTTP(recorder, r)
		panics = false
	})
}
