package main

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// row is one measure: what Ream did, beside a peer or a limit.
type row struct {
	measure string
	unit    unit
	ream    sample
	peer    string // who or what Ream is compared with; empty for nothing
	than    sample // what the peer did, or the limit alone
	goals   []goal // for the ratio
}

// goal is a bound of a ratio.
type goal struct {
	sign  string
	bound float64
}

func atMost(bound float64) goal  { return goal{"≤", bound} }
func atLeast(bound float64) goal { return goal{"≥", bound} }

func (g goal) String() string { return fmt.Sprintf("%s %g", g.sign, g.bound) }

// met compares what the table shows, so that no reader wonders.
func (g goal) met(ratio float64) string {
	ratio = math.Round(ratio*100) / 100
	if g.sign == "≤" && ratio <= g.bound || g.sign == "≥" && ratio >= g.bound {
		return "yes"
	}
	return "no"
}

func (r row) ratio() float64 { return r.ream.over(r.than) }

// cells are the columns of the table.
func (r row) cells() []string {
	cells := []string{r.measure, r.unit(r.ream.median()), "–", "–", "–", "–"}
	if r.peer == "" {
		return cells
	}
	cells[2] = r.peer + " " + r.unit(r.than.median())
	cells[3] = fmt.Sprintf("%.2f", r.ratio())
	var goals, met []string
	for _, g := range r.goals {
		goals, met = append(goals, g.String()), append(met, g.met(r.ratio()))
	}
	if len(goals) > 0 {
		cells[4], cells[5] = strings.Join(goals, ", "), strings.Join(met, ", ")
	}
	return cells
}

// line is a row without its columns.
func (r row) line() string { return strings.Join(r.cells(), " | ") }

// table holds the rows of a suite.
type table []row

// String is the table in Markdown, with its columns aligned.
func (t table) String() string {
	lines := [][]string{{"measure", "ream", "peer or limit", "ratio", "goal", "met"}}
	for _, r := range t {
		lines = append(lines, r.cells())
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var s strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			s.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		s.WriteString("|\n")
		if n == 0 {
			for _, w := range widths {
				s.WriteString("|" + strings.Repeat("-", w+2))
			}
			s.WriteString("|\n")
		}
	}
	return s.String()
}
