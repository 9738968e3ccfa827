package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// child is a process that this program starts of itself: it says when it is
// ready, begins when it is told to, and ends when its input is closed.
type child struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

// startChild starts a process and waits until it is ready.
func (b *bench) startChild(kind, address string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.Command(self, "child", kind, address)}
	c.command.Stderr = b.stderr
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	if _, err := c.line(); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// line reads the next line that the process writes.
func (c *child) line() (string, error) {
	if !c.out.Scan() {
		return "", fmt.Errorf("the child ended: %w", errors.Join(c.out.Err(), io.ErrUnexpectedEOF))
	}
	return c.out.Text(), nil
}

func (c *child) begin() error {
	_, err := io.WriteString(c.in, "go\n")
	return err
}

func (c *child) stop() error {
	c.in.Close()
	return c.command.Wait()
}

// race lets processes begin at once, and tells how long it took until done
// returned.
func (b *bench) race(ctx context.Context, processes int, kind, address string, done func() error) (took time.Duration, err error) {
	children := make([]*child, 0, processes)
	defer func() {
		for _, c := range children {
			err = errors.Join(err, c.stop())
		}
	}()
	for range processes {
		c, err := b.startChild(kind, address)
		if err != nil {
			return 0, err
		}
		children = append(children, c)
	}
	began := time.Now()
	for _, c := range children {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	err = done()
	return time.Since(began), errors.Join(err, ctx.Err())
}

// runChild is what a child process runs.
func runChild(ctx context.Context, args []string) error {
	kinds := map[string]func(ctx context.Context, address string, wait func() error) error{
		"ream": reamChild, "river": riverChild, "stamps": stampsChild, "slow": slowChild, "bare": bareChild,
	}
	if len(args) != 2 || kinds[args[0]] == nil {
		return fmt.Errorf("child: unknown kind %q", args)
	}
	in := bufio.NewScanner(os.Stdin)
	ready := false
	wait := func() error {
		if !ready {
			ready = true
			fmt.Println("ready")
		}
		if !in.Scan() {
			return errors.Join(in.Err(), io.EOF)
		}
		return nil
	}
	return kinds[args[0]](ctx, args[1], wait)
}
