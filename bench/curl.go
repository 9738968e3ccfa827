package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// curled is what curl fetched.
type curled struct {
	dir       string
	took, cpu time.Duration
}

// curl fetches all files into a fresh directory over so many connections at
// once. It neither checks a digest nor makes anything durable.
func (b *bench) curl(ctx context.Context, address string, f *files, connections int) (curled, error) {
	dir, err := b.newDir("curl")
	if err != nil {
		return curled{}, err
	}
	var list strings.Builder
	for _, path := range f.paths {
		fmt.Fprintf(&list, "url = %s/%s\noutput = %s\n", address, path, filepath.Join(dir, path))
	}
	config := dir + ".list"
	if err := os.WriteFile(config, []byte(list.String()), 0o644); err != nil {
		return curled{}, err
	}
	command := exec.CommandContext(ctx, "curl", "--no-progress-meter", "--fail", "--create-dirs",
		"--parallel", "--parallel-max", strconv.Itoa(connections), "--config", config)
	began := time.Now()
	out, err := command.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return curled{}, fmt.Errorf("curl: %w: %s", err, out)
	}
	return curled{dir, took, command.ProcessState.UserTime() + command.ProcessState.SystemTime()}, nil
}
