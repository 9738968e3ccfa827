package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	ream     string
	postgres string
	dir      string
	quick    bool
}

// quickFor is how long the turns of a quick run may take in all; starting and
// ending what they need comes on top.
const quickFor = 25 * time.Second

// bench is what a suite measures with, and the table that it fills.
type bench struct {
	options
	stderr   io.Writer
	began    time.Time
	load     string // of the machine when it began: how busy others kept it
	root     string // directory of this run, fresh
	fresh    int    // directories and databases made so far
	settings []string
	table    table
	atEnd    []func() error
}

func newBench(o options, stderr io.Writer) (*bench, error) {
	if o.postgres == "" {
		return nil, errors.New("--postgres: name a PostgreSQL server, or let make bench start one")
	}
	var err error
	if o.ream, err = filepath.Abs(o.ream); err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(o.dir, "ream-bench-")
	if err != nil {
		return nil, err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, stderr: stderr, began: time.Now(), load: strings.Fields(string(load))[0], root: root}
	b.defers(func() error { return os.RemoveAll(root) })
	return b, nil
}

// defers has f called when the run ends, in the opposite order of the calls.
func (b *bench) defers(f func() error) { b.atEnd = append(b.atEnd, f) }

func (b *bench) close() error {
	var err error
	for _, f := range slices.Backward(b.atEnd) {
		err = errors.Join(err, f())
	}
	return err
}

// newDir makes an empty directory that lives as long as the run. Nothing is
// deleted meanwhile: files are created slowly for minutes after a mass delete.
func (b *bench) newDir(name string) (string, error) {
	b.fresh++
	dir := filepath.Join(b.root, fmt.Sprintf("%03d-%s", b.fresh, name))
	return dir, os.Mkdir(dir, 0o755)
}

// add puts a row into the table.
func (b *bench) add(r row) {
	b.table = append(b.table, r)
	b.progress("%s", r.line())
}

// setting tells below the heading how something is set. It is told once.
func (b *bench) setting(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(b.settings, line) {
		b.settings = append(b.settings, line)
	}
}

// progress tells who waits what is going on.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.stderr, "%6.1fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// turns lets the sides run one after the other, up to n times, in the opposite
// order every second time, so that whatever else the machine does meets all of
// them. A quick run takes fewer turns if its time is over, but at least one.
func (b *bench) turns(ctx context.Context, n int, sides ...func() error) error {
	for turn := range n {
		if b.quick && turn > 0 && time.Since(b.began) > quickFor {
			return nil
		}
		order := slices.Clone(sides)
		if turn%2 == 1 {
			slices.Reverse(order)
		}
		for _, side := range order {
			if err := side(); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// few is how many turns or seconds to take: fewer in a quick run.
func (b *bench) few(thorough, quick int) int {
	if b.quick {
		return quick
	}
	return thorough
}

// freeAddress is a loopback address at which nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
