package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ream/cli/client"
)

// aGroup is a frame of a group.
func aGroup(state client.TaskState, c client.Counts, p client.Progress) *client.WorkTaskGroup {
	c.Finished = c.Completed + c.Failed + c.Canceled + c.Skipped
	c.Total = c.Finished + c.Waiting + c.Running + c.Canceling
	return &client.WorkTaskGroup{Typename: "TaskGroup", Id: "group-7", Name: "mirror 6 repositories", State: state, Finished: c.Finished == c.Total, Counts: c, Progress: p}
}

// aTask is a frame of a task.
func aTask(state client.TaskState, p client.Progress) *client.WorkTask {
	return &client.WorkTask{Typename: "Task", Id: "task-12", Name: "sync fedora-40", State: state, Finished: state == client.TaskStateCompleted || state == client.TaskStateFailed, Progress: p}
}

var (
	began     = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	halfway   = client.Progress{ItemsDone: 420, ItemsTotal: 700, BytesDone: 31_200_000, BytesTotal: 60_100_000, BytesPerSecond: 12_400_000, RemainingSeconds: 3}
	mixed     = client.Counts{Completed: 12, Running: 4, Waiting: 2}
	oneFailed = client.Counts{Completed: 99_999, Failed: 1}
)

func ended(w *client.WorkTaskGroup, after time.Duration) *client.WorkTaskGroup {
	w.StartedAt, w.FinishedAt = began, began.Add(after)
	return w
}

func TestDraw(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		work  client.Work
		width int
		color bool
		want  []string
	}{
		{"a group that runs", aGroup(client.TaskStateRunning, mixed, halfway), 60, false, []string{
			"mirror 6 repositories  group-7  RUNNING",
			"███████████████████████▒▒▒▒▒▒▒▒░░░░░  12 of 18 tasks",
			"█ 12 completed  ▒ 4 running  ░ 2 waiting",
			"420 of 700 items, 31.2 MB of 60.1 MB, 12.4 MB/s, 3 s left",
		}},
		{"one failure among many is seen", ended(aGroup(client.TaskStateFailed, oneFailed, client.Progress{}), 83*time.Second), 40, false, []string{
			"mirror 6 repositories  group-7  FAILED…",
			"███████████████x  100000 of 100000 tas…",
			"█ 99999 completed  x 1 failed",
		}},
		{"how long it took", ended(aGroup(client.TaskStateCompleted, client.Counts{Completed: 2}, client.Progress{}), 3200*time.Millisecond), 80, false, []string{
			"mirror 6 repositories  group-7  COMPLETED  in 3.2 s",
			strings.Repeat("█", 48) + "  2 of 2 tasks",
			"█ 2 completed",
		}},
		{"an empty group", aGroup(client.TaskStateCompleted, client.Counts{}, client.Progress{}), 40, false, []string{
			"mirror 6 repositories  group-7  COMPLE…",
			"░░░░░░░░░░░░░░░░  0 of 0 tasks",
			"nothing to do",
		}},
		{"every state", aGroup(client.TaskStateCanceling, client.Counts{Completed: 2, Failed: 2, Canceled: 2, Skipped: 2, Canceling: 2, Running: 2, Waiting: 2}, client.Progress{}), 100, false, []string{
			"mirror 6 repositories  group-7  CANCELING",
			"███████xxxxxxx-------//////~~~~~~~▒▒▒▒▒▒▒░░░░░░░  8 of 14 tasks",
			"█ 2 completed  x 2 failed  - 2 canceled  / 2 skipped  ~ 2 canceling  ▒ 2 running  ░ 2 waiting",
		}},
		{"in colour", aGroup(client.TaskStateRunning, client.Counts{Completed: 1, Waiting: 1}, client.Progress{}), 35, true, []string{
			"\x1b[1mmirror 6 repositories\x1b[0m\x1b[2m  group-7  \x1b[0m\x1b[36mR\x1b[0m…",
			"\x1b[32m██████\x1b[0m\x1b[2m░░░░░\x1b[0m  1 of 2 tasks",
			"\x1b[32m█\x1b[0m 1 completed  \x1b[2m░\x1b[0m 1 waiting",
		}},
		{"a task that waits", aTask(client.TaskStateWaiting, client.Progress{}), 60, false, []string{
			"sync fedora-40  task-12  WAITING",
		}},
		{"a task that runs", aTask(client.TaskStateRunning, halfway), 44, false, []string{
			"sync fedora-40  task-12  RUNNING",
			"██████████░░░░░░░░░░  51 %",
			"420 of 700 items, 31.2 MB of 60.1 MB, 12.4…",
		}},
		{"a task without bytes", aTask(client.TaskStateRunning, client.Progress{ItemsDone: 1, ItemsTotal: 4}), 44, false, []string{
			"sync fedora-40  task-12  RUNNING",
			"██████░░░░░░░░░░░░░░  25 %",
			"1 of 4 items",
		}},
		{"a narrow terminal", aTask(client.TaskStateRunning, client.Progress{}), 5, false, []string{"syn…"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, l := range draw(tt.work, tt.width) {
				got = append(got, l.render(tt.width, tt.color))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestBarIsFilledExactly(t *testing.T) {
	t.Parallel()
	for completed := range 40 {
		for waiting := range 40 {
			for _, cells := range []int{10, 17, 48} {
				drawn := 0
				for _, s := range bar(parts(client.Counts{Completed: completed, Running: 1, Waiting: waiting}), cells) {
					drawn += len([]rune(s.text))
				}
				if drawn != cells {
					t.Fatalf("%d completed, 1 running, %d waiting: got %d cells, want %d", completed, waiting, drawn, cells)
				}
			}
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		work client.Work
		want string
	}{
		{aGroup(client.TaskStateRunning, mixed, halfway), "group-7 RUNNING: 12 completed, 4 running, 2 waiting of 18; 420 of 700 items, 31.2 MB of 60.1 MB, 12.4 MB/s, 3 s left"},
		{aGroup(client.TaskStateCompleted, client.Counts{}, client.Progress{}), "group-7 COMPLETED"},
		{aTask(client.TaskStateFailed, client.Progress{ItemsDone: 1, ItemsTotal: 2, RemainingSeconds: 9}), "task-12 FAILED; 1 of 2 items"},
	}
	for _, tt := range tests {
		if got := summary(tt.work); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_999: "1.0 MB", 60_100_000: "60.1 MB", 5e9: "5.0 GB", 2e15: "2000.0 TB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d): got %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{-time.Second: "0 s", 0: "0 s", 3 * time.Second: "3 s", 3240 * time.Millisecond: "3.2 s", 59 * time.Second: "59 s", 125 * time.Second: "2 min 05 s", 3*time.Hour + 4*time.Minute: "3 h 04 min"} {
		if got := duration(d); got != want {
			t.Errorf("duration(%d): got %q, want %q", d, got, want)
		}
	}
}

func TestCleanLeavesTheTerminalAlone(t *testing.T) {
	t.Parallel()
	if got, want := clean("a\x1b[31mb\nc\r\u009bd\u202ee é"), "a\uFFFD[31mb c\uFFFD\uFFFDd\uFFFDe é"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
