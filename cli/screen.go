package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"ream/cli/client"
)

// linesApart is how far lines of progress are apart where there is no
// terminal; a change of state is a line at once.
const linesApart = time.Second

// screen shows frames: in place on a terminal, elsewhere as lines.
type screen struct {
	out   io.Writer
	width func() int // of the terminal; nil if there is none
	color bool
	now   func() time.Time

	drawn []string // on the terminal
	line  string   // the last one, without a terminal
	state client.TaskState
	at    time.Time // of the last line
}

// newScreen returns a screen on the environment's output. It draws in place if
// that is a terminal, and in colour unless NO_COLOR is set.
func newScreen(env Env) *screen {
	s := &screen{out: env.Stdout, now: time.Now}
	file, ok := env.Stdout.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || env.Getenv("TERM") == "dumb" {
		return s
	}
	s.color = env.Getenv("NO_COLOR") == ""
	s.width = func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
	return s
}

// show draws a frame.
func (s *screen) show(w client.Work) error {
	if s.width != nil {
		width := s.width()
		var texts []string
		for _, l := range draw(w, width) {
			texts = append(texts, l.render(width, s.color))
		}
		return s.redraw(texts)
	}
	text := summary(w)
	now := s.now()
	if text == s.line || w.GetState() == s.state && now.Sub(s.at) < linesApart {
		return nil
	}
	s.line, s.state, s.at = text, w.GetState(), now
	_, err := fmt.Fprintln(s.out, text)
	return err
}

// note shows what is the matter, below the last frame, until the next one.
func (s *screen) note(text string) error {
	text = clean(text)
	if s.width == nil {
		if s.line == text {
			return nil
		}
		s.line, s.state = text, "" // so that the next frame is shown at once
		_, err := fmt.Fprintln(s.out, text)
		return err
	}
	frame := s.drawn
	if len(frame) > 0 && s.state == noted {
		frame = frame[:len(frame)-1]
	}
	err := s.redraw(append(frame[:len(frame):len(frame)], line{{text, dim}}.render(s.width(), s.color)))
	s.state = noted
	return err
}

// noted marks a drawing whose last line is a note.
const noted client.TaskState = "NOTED"

// redraw writes lines over those that were drawn before.
func (s *screen) redraw(texts []string) error {
	var b strings.Builder
	if len(s.drawn) > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", len(s.drawn))
	}
	for _, text := range texts {
		b.WriteString("\x1b[2K" + text + "\n")
	}
	if len(texts) < len(s.drawn) {
		b.WriteString("\x1b[J") // what is left of the longer drawing
	}
	s.drawn, s.state = texts, ""
	_, err := io.WriteString(s.out, b.String())
	return err
}
