package cli

import (
	"strings"
	"testing"
	"time"

	"ream/cli/client"
)

func TestScreenWithoutTerminalWritesLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	now := began
	s := newScreen(Env{Stdout: &out})
	s.now = func() time.Time { return now }
	steps := []struct {
		after time.Duration
		state client.TaskState
		done  int64
		note  string
		want  string // what is added
	}{
		{0, client.TaskStateWaiting, 0, "", "task-12 WAITING; 0 of 9 items\n"},
		{0, client.TaskStateRunning, 1, "", "task-12 RUNNING; 1 of 9 items\n"},
		{500 * time.Millisecond, client.TaskStateRunning, 2, "", ""},
		{600 * time.Millisecond, client.TaskStateRunning, 3, "", "task-12 RUNNING; 3 of 9 items\n"},
		{2 * time.Second, client.TaskStateRunning, 3, "", ""},
		{0, "", 0, "lost\x1b", "lost\uFFFD\n"},
		{0, "", 0, "lost\x1b", ""},
		{0, client.TaskStateRunning, 3, "", "task-12 RUNNING; 3 of 9 items\n"},
		{0, client.TaskStateCompleted, 9, "", "task-12 COMPLETED; 9 of 9 items\n"},
	}
	for i, step := range steps {
		now = now.Add(step.after)
		out.Reset()
		var err error
		if step.note != "" {
			err = s.note(step.note)
		} else {
			err = s.show(aTask(step.state, client.Progress{ItemsDone: step.done, ItemsTotal: 9}))
		}
		if err != nil || out.String() != step.want {
			t.Errorf("step %d: got %q and error %v, want %q", i, out.String(), err, step.want)
		}
	}
}

func TestScreenDrawsInPlace(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := &screen{out: &out, now: time.Now, width: func() int { return 60 }}
	frame := func(state client.TaskState, p client.Progress) func() error {
		return func() error { return s.show(aTask(state, p)) }
	}
	note := func(text string) func() error { return func() error { return s.note(text) } }
	const title, line = "sync fedora-40  task-12  RUNNING", "\x1b[2K"
	steps := []struct {
		do   func() error
		want string
	}{
		{frame(client.TaskStateRunning, client.Progress{}), line + title + "\n"},
		{note("lost"), "\x1b[1A\r" + line + title + "\n" + line + "lost\n"},
		{note("lost again"), "\x1b[2A\r" + line + title + "\n" + line + "lost again\n"},
		{frame(client.TaskStateRunning, client.Progress{}), "\x1b[2A\r" + line + title + "\n\x1b[J"},
	}
	for i, step := range steps {
		out.Reset()
		if err := step.do(); err != nil || out.String() != step.want {
			t.Errorf("step %d: got %q and error %v, want %q", i, out.String(), err, step.want)
		}
	}
}
