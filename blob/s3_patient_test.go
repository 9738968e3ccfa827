package blob

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience waits on a connection: not forever when nothing moves, and as
// long as it takes when something does, be it in the other direction.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		c := patient{here}
		defer c.Close()
		began := time.Now()
		read := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
		for range 20 { // a long upload, at the end of which there is an answer
			time.Sleep(quiet / 2)
			go func() { _, _ = there.Read(make([]byte, 1)) }()
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatalf("Write after %s: %v", time.Since(began), err)
			}
		}
		if _, err := there.Write([]byte("y")); err != nil {
			t.Fatal(err)
		}
		if err := <-read; err != nil {
			t.Errorf("Read while there are writes: %v", err)
		}
		began = time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != quiet {
			t.Errorf("Read of nothing: got %v after %s, want a timeout after %s", err, time.Since(began), quiet)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write that nobody takes: got %v, want a timeout", err)
		}
	})
}
