package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed wrk.lua
var wrkScript []byte

// load is what to ask a server for, by wrk.
type load struct {
	paths       []string // one after the other; in each, {n} stands for another number every time
	connections int
	seconds     int
	absent      bool   // whether none of the paths exists
	body        string // JSON to post to them; empty to get them
}

// of is the same load for paths behind a prefix.
func (l load) of(prefix string, paths []string) load {
	l.paths = make([]string, len(paths))
	for i, path := range paths {
		l.paths[i] = prefix + path
	}
	return l
}

// missing is the same load for paths that do not exist.
func (l load) missing(prefix string, paths []string) load {
	l.absent = true
	return l.of(prefix, paths)
}

// answered is what a load got.
type answered struct {
	perSecond      float64 // requests
	bytesPerSecond float64 // of answers, with their heads
	cpuPerRequest  float64 // seconds of the server
	slow           float64 // seconds within which 99 of 100 were answered
}

// wrkThreads is how many threads ask. They take their processor time from the
// server, on both sides alike.
const wrkThreads = 2

// wrk puts a load on a server and checks that it answers as it should.
func (b *bench) wrk(ctx context.Context, server *process, address string, l load) (answered, error) {
	dir, err := b.newDir("wrk")
	if err != nil {
		return answered{}, err
	}
	script, list := filepath.Join(dir, "wrk.lua"), filepath.Join(dir, "paths")
	if err := os.WriteFile(script, wrkScript, 0o644); err != nil {
		return answered{}, err
	}
	if err := os.WriteFile(list, []byte(strings.Join(l.paths, "\n")), 0o644); err != nil {
		return answered{}, err
	}
	before, err := server.cpu()
	if err != nil {
		return answered{}, err
	}
	out, err := exec.CommandContext(ctx, "wrk", "--threads", strconv.Itoa(wrkThreads), "--connections", strconv.Itoa(l.connections),
		"--duration", strconv.Itoa(l.seconds)+"s", "--timeout", "30s", "--script", script, address, "--", list, l.body).CombinedOutput()
	if err != nil {
		return answered{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	after, err := server.cpu()
	if err != nil {
		return answered{}, err
	}
	var requests, bytes, micros, refused, broken, slow int64
	_, figures, _ := strings.Cut(string(out), "figures: ")
	if _, err := fmt.Sscan(figures, &requests, &bytes, &micros, &refused, &broken, &slow); err != nil {
		return answered{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	want := int64(0)
	if l.absent {
		want = requests
	}
	if requests == 0 || refused != want || broken > 0 {
		return answered{}, fmt.Errorf("%s: of %d answers %d were errors, and %d connections broke:\n%s", address, requests, refused, broken, out)
	}
	took := (time.Duration(micros) * time.Microsecond).Seconds()
	return answered{
		perSecond:      float64(requests) / took,
		bytesPerSecond: float64(bytes) / took,
		cpuPerRequest:  (after - before).Seconds() / float64(requests),
		slow:           (time.Duration(slow) * time.Microsecond).Seconds(),
	}, nil
}
