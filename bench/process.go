package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is what the kernel counts a process's time in.
const ticksPerSecond = 100

// process is a program that runs beside the bench.
type process struct {
	command *exec.Cmd
	log     string // file of its output
	ended   chan struct{}
}

// start runs a program with its output in dir, until it is stopped or the run
// ends.
func (b *bench) start(dir, name string, args ...string) (*process, error) {
	return b.startCommand(dir, exec.Command(name, args...))
}

func (b *bench) startCommand(dir string, command *exec.Cmd) (*process, error) {
	p := &process{command: command, log: filepath.Join(dir, filepath.Base(command.Path)+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.command.Wait() // whoever misses the process reads its log
		close(p.ended)
	}()
	b.defers(p.stop)
	return p, nil
}

// stop ends the process and waits for it. It does nothing once it has ended.
func (p *process) stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(20 * time.Second):
		_ = p.command.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s had to be killed", p.command.Path)
	}
}

// await calls ready, every millisecond or so, until it is true. It fails with
// the process's last words if that ends.
func (p *process) await(ctx context.Context, ready func() bool) error {
	for begin := time.Now(); !ready(); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", p.command.Path, p.words())
		case <-time.After(time.Millisecond):
			if time.Since(begin) > time.Minute {
				return fmt.Errorf("%s is not ready after a minute", p.command.Path)
			}
		}
	}
	return nil
}

// words are the last ones of the process's log, which does not outlive the run.
func (p *process) words() string {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}

// cpu is the time that the process and its children have used so far.
func (p *process) cpu() (time.Duration, error) {
	pid := strconv.Itoa(p.command.Process.Pid)
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range append(strings.Fields(string(children)), pid) {
		stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil {
			return 0, err
		}
		// The name before the last parenthesis may hold anything.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, field := range fields[11:13] { // utime, stime
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/%s/stat: %w", pid, err)
			}
			sum += time.Duration(ticks) * time.Second / ticksPerSecond
		}
	}
	return sum, nil
}

// resident and peak are the bytes of memory that the process holds, and the
// most that it ever held.
func (p *process) resident() (float64, error) { return p.status("VmRSS") }
func (p *process) peak() (float64, error)     { return p.status("VmHWM") }

func (p *process) status(name string) (float64, error) {
	path := fmt.Sprintf("/proc/%d/status", p.command.Process.Pid)
	status, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}
