package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// work is a task or a group, as a frame shows it.
type work struct {
	Typename string `json:"__typename"`
	ID       string
	Name     string
	State    string
	Finished bool
	Counts   struct {
		Waiting, Running, Completed, Failed, Canceling, Canceled, Skipped, Total int
	}
	Progress struct {
		ItemsDone, ItemsTotal, BytesDone, BytesTotal, BytesPerSecond int64
		RemainingSeconds                                             *int64
	}
	Error *struct{ Code, Message string }
}

const workFields = `__typename ... on Work { id name state finished
	counts { waiting running completed failed canceling canceled skipped total }
	progress { itemsDone itemsTotal bytesDone bytesTotal bytesPerSecond remainingSeconds } }
	... on Task { error { code message } }`

// follow shows work on out until it is finished, and returns its last frame.
// It connects again when the server goes away for a while.
func (c *client) follow(ctx context.Context, id string, out io.Writer) (work, error) {
	screen := newScreen(out)
	defer screen.end()
	var last work
	for attempt := 0; ; {
		err := c.subscribe(ctx, `subscription($id: ID!) { taskOrGroup(id: $id) { `+workFields+` } }`, map[string]any{"id": id}, func(r response) error {
			var frame struct{ TaskOrGroup work }
			if err := r.decode(&frame); err != nil {
				return err
			}
			last, attempt = frame.TaskOrGroup, 0
			screen.show(last)
			return nil
		})
		switch {
		case err == nil && last.Finished:
			return last, nil
		case err == nil, errors.Is(err, errLost):
			attempt++
			if attempt > 20 {
				return last, errLost
			}
			select {
			case <-ctx.Done():
				return last, ctx.Err()
			case <-time.After(min(time.Duration(attempt)*200*time.Millisecond, 3*time.Second)):
			}
		default:
			return last, err
		}
	}
}

// screen shows frames: on a terminal in place, elsewhere as a line for each
// that differs.
type screen struct {
	out   io.Writer
	width int // of the terminal; 0 for none
	shown string
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.width = 80
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			s.width = width
		}
	}
	return s
}

func (s *screen) show(w work) {
	line := describe(w)
	if line == s.shown {
		return
	}
	s.shown = line
	if s.width == 0 {
		fmt.Fprintln(s.out, line)
		return
	}
	if runes := []rune(line); len(runes) >= s.width {
		line = string(runes[:s.width-1])
	}
	fmt.Fprintf(s.out, "\r\x1b[K%s", line)
}

func (s *screen) end() {
	if s.width > 0 && s.shown != "" {
		fmt.Fprintln(s.out)
	}
}

// barWidth is how many characters show how far work is.
const barWidth = 20

// describe is a frame in a line.
func describe(w work) string {
	p := w.Progress
	done, total := p.BytesDone, p.BytesTotal
	if total == 0 {
		done, total = int64(w.Counts.Completed), int64(w.Counts.Total)
	}
	filled := 0
	if total > 0 {
		filled = int(min(done*barWidth/total, barWidth))
	}
	parts := []string{w.ID, "[" + strings.Repeat("#", filled) + strings.Repeat(".", barWidth-filled) + "]", strings.ToLower(w.State)}
	if w.Typename == "TaskGroup" {
		parts = append(parts, counts(w))
	}
	if p.BytesTotal > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s", size(p.BytesDone), size(p.BytesTotal)))
	}
	if p.BytesPerSecond > 0 {
		parts = append(parts, size(p.BytesPerSecond)+"/s")
	}
	if p.RemainingSeconds != nil && !w.Finished {
		parts = append(parts, fmt.Sprintf("%d s left", *p.RemainingSeconds))
	}
	return strings.Join(parts, "  ")
}

// counts names the states that have members.
func counts(w work) string {
	c := w.Counts
	var parts []string
	for _, state := range []struct {
		n    int
		name string
	}{{c.Waiting, "waiting"}, {c.Running, "running"}, {c.Canceling, "canceling"}, {c.Completed, "completed"}, {c.Failed, "failed"}, {c.Canceled, "canceled"}, {c.Skipped, "skipped"}} {
		if state.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", state.n, state.name))
		}
	}
	return strings.Join(parts, ", ") + fmt.Sprintf(" of %d", c.Total)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
