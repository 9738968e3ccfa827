package main_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestDemoLeavesNothing ends the demo in the middle of its work.
func TestDemoLeavesNothing(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	signal := func(s os.Signal) func(*exec.Cmd, io.Closer) error {
		return func(demo *exec.Cmd, _ io.Closer) error { return demo.Process.Signal(s) }
	}
	tests := []struct {
		name string
		end  func(demo *exec.Cmd, output io.Closer) error
		want string
	}{
		{"Ctrl-C", signal(os.Interrupt), "ream demo: interrupted\n"},
		{"terminated", signal(syscall.SIGTERM), "ream demo: interrupted\n"},
		{"the terminal is closed", signal(syscall.SIGHUP), "ream demo: interrupted\n"},
		{"the reader of its output is gone", func(_ *exec.Cmd, output io.Closer) error { return output.Close() }, "broken pipe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			demo := exec.CommandContext(t.Context(), path, "demo")
			demo.Env = append(os.Environ(), "TMPDIR="+dir)
			var complaint bytes.Buffer
			demo.Stderr = &complaint
			output, err := demo.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := demo.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(output)
			for lines.Scan() && !strings.Contains(lines.Text(), "RUNNING") {
			}
			if err := tt.end(demo, output); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() {
			}
			err = demo.Wait()
			if demo.ProcessState.ExitCode() != 1 || !strings.Contains(complaint.String(), tt.want) {
				t.Errorf("got %v and %q, want exit status 1 and %q", err, complaint.String(), tt.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}
