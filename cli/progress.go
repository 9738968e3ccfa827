package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"ream/cli/client"
)

// style is how text looks on a terminal: the parameters of an SGR sequence.
type style string

const (
	normal style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// span is text in one style.
type span struct {
	text  string
	style style
}

// line is a line of a drawing.
type line []span

// render returns the line, cut to fit a terminal of that width.
func (l line) render(width int, color bool) string {
	var b strings.Builder
	room := max(width-1, 1) // the last column would wrap on some terminals
	total := 0
	for _, s := range l {
		total += len([]rune(s.text))
	}
	cut := total > room
	if cut {
		room--
	}
	for _, s := range l {
		runes := []rune(s.text)
		if len(runes) > room {
			runes = runes[:room]
		}
		room -= len(runes)
		if len(runes) == 0 {
			continue
		}
		if color && s.style != normal {
			fmt.Fprintf(&b, "\x1b[%sm%s\x1b[0m", s.style, string(runes))
		} else {
			b.WriteString(string(runes))
		}
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}

// part is how many tasks are in a state, and how that is drawn. The glyphs
// differ, so that a bar without colour can be read.
type part struct {
	n     int
	name  string
	glyph string
	style style
}

// parts are the states in the order of a bar.
func parts(c client.Counts) []part {
	return []part{
		{c.Completed, "completed", "█", green},
		{c.Failed, "failed", "x", red},
		{c.Canceled, "canceled", "-", yellow},
		{c.Skipped, "skipped", "/", yellow},
		{c.Canceling, "canceling", "~", yellow},
		{c.Running, "running", "▒", cyan},
		{c.Waiting, "waiting", "░", dim},
	}
}

// draw is a frame on a terminal of that width.
func draw(w client.Work, width int) []line {
	title := line{{clean(w.GetName()), bold}, {"  " + clean(w.GetId()) + "  ", dim}, {string(w.GetState()), styleOf(w.GetState())}}
	if w.GetFinished() && !w.GetStartedAt().IsZero() {
		title = append(title, span{"  in " + duration(w.GetFinishedAt().Sub(w.GetStartedAt())), normal})
	}
	cells := min(max(width-24, 10), 48)
	lines := []line{title}
	if isGroup(w) {
		c := w.GetCounts()
		lines = append(lines, append(bar(parts(c), cells), span{fmt.Sprintf("  %d of %d tasks", c.Finished, c.Total), normal}), legend(c))
	} else if p := w.GetProgress(); p.BytesTotal > 0 || p.ItemsTotal > 0 {
		done, total := p.BytesDone, p.BytesTotal
		if total == 0 {
			done, total = p.ItemsDone, p.ItemsTotal
		}
		share := int(min(done, total) * 1000 / total)
		lines = append(lines, append(bar([]part{{share, "", "█", green}, {1000 - share, "", "░", dim}}, cells), span{fmt.Sprintf("  %d %%", share/10), normal}))
	}
	if text := amounts(w); text != "" {
		lines = append(lines, line{{text, normal}})
	}
	return lines
}

// isGroup tells groups from tasks.
func isGroup(w client.Work) bool { return w.GetTypename() == "TaskGroup" }

func styleOf(s client.TaskState) style {
	switch s {
	case client.TaskStateCompleted:
		return green
	case client.TaskStateFailed:
		return red
	case client.TaskStateRunning:
		return cyan
	case client.TaskStateCanceling, client.TaskStateCanceled, client.TaskStateSkipped:
		return yellow
	}
	return dim
}

// bar draws parts in proportion. Whatever there is has a cell at least, so
// that one failure among thousands is seen.
func bar(parts []part, cells int) line {
	total, least := 0, 0
	for _, p := range parts {
		total += p.n
		if p.n > 0 {
			least++
		}
	}
	if total == 0 {
		return line{{strings.Repeat("░", cells), dim}}
	}
	var l line
	seen, drawn := 0, 0
	free := max(cells-least, 0)
	for _, p := range parts {
		if p.n == 0 {
			continue
		}
		// Rounding what was drawn so far, not each part, fills the bar exactly.
		seen += p.n
		upTo := (seen*free + total/2) / total
		l = append(l, span{strings.Repeat(p.glyph, upTo-drawn+1), p.style})
		drawn = upTo
	}
	return l
}

// legend is the counts with the glyphs of the bar.
func legend(c client.Counts) line {
	var l line
	for _, p := range parts(c) {
		if p.n == 0 {
			continue
		}
		if len(l) > 0 {
			l = append(l, span{"  ", normal})
		}
		l = append(l, span{p.glyph, p.style}, span{fmt.Sprintf(" %d %s", p.n, p.name), normal})
	}
	if l == nil {
		return line{{"nothing to do", dim}}
	}
	return l
}

// summary is a frame in a line.
func summary(w client.Work) string {
	text := clean(w.GetId()) + " " + string(w.GetState())
	if isGroup(w) {
		c := w.GetCounts()
		var counts []string
		for _, p := range parts(c) {
			if p.n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", p.n, p.name))
			}
		}
		if len(counts) > 0 {
			text += ": " + strings.Join(counts, ", ") + fmt.Sprintf(" of %d", c.Total)
		}
	}
	if a := amounts(w); a != "" {
		text += "; " + a
	}
	return text
}

// amounts says how much is done, how fast it goes and how long it takes.
func amounts(w client.Work) string {
	p := w.GetProgress()
	var words []string
	if p.ItemsTotal > 0 {
		words = append(words, fmt.Sprintf("%d of %d items", p.ItemsDone, p.ItemsTotal))
	}
	if p.BytesTotal > 0 {
		words = append(words, size(p.BytesDone)+" of "+size(p.BytesTotal))
	}
	if p.BytesPerSecond > 0 {
		words = append(words, size(p.BytesPerSecond)+"/s")
	}
	if p.RemainingSeconds > 0 && !w.GetFinished() {
		words = append(words, duration(time.Duration(p.RemainingSeconds)*time.Second)+" left")
	}
	return strings.Join(words, ", ")
}

// size is a number of bytes for people.
func size(n int64) string {
	value := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if value < 999.95 {
			if unit == "B" {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", value, unit)
		}
		value /= 1000
	}
	return fmt.Sprintf("%.1f TB", value)
}

// duration is a length of time for people.
func duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// clean takes out what would steer the terminal. Names and errors may hold
// what an upstream server sent.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ':
			return '\uFFFD'
		}
		return r
	}, s)
}
