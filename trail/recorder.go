package trail

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"ream/lane"
)

// Recorder remembers what was answered, and hands it on. It is used as the
// http.ResponseWriter that it stands for, by one goroutine at a time.
type Recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Record returns a recorder of what is written to w.
func Record(w http.ResponseWriter) *Recorder { return &Recorder{ResponseWriter: w} }

// Status is the status that was answered; 200 if none was written.
func (r *Recorder) Status() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// Bytes is how many bytes of the body were answered.
func (r *Recorder) Bytes() int64 { return r.bytes }

// WriteHeader remembers the final status.
func (r *Recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// WriteHead implements lane.HeadWriter.
func (r *Recorder) WriteHead(status int, head *lane.Head) {
	if r.status == 0 {
		r.status = status
	}
	lane.WriteHead(r.ResponseWriter, status, head)
}

// Write counts bytes of the body.
func (r *Recorder) Write(p []byte) (int, error) {
	r.begin()
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// ReadFrom counts bytes of the body, and keeps the way open for the kernel to
// send a file itself.
func (r *Recorder) ReadFrom(from io.Reader) (int64, error) {
	r.begin()
	n, err := io.Copy(r.ResponseWriter, from)
	r.bytes += n
	return n, err
}

// Hijack gives the connection away, as for a websocket.
func (r *Recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
	}
	return conn, buffered, err
}

// Unwrap is for http.ResponseController.
func (r *Recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *Recorder) begin() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}
