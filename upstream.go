package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ream/fetch"
)

// upstreams are the flags about what may be fetched, of serve and worker.
type upstreams struct {
	directories        directories
	private            string
	hostConnections    int
	hostBytesPerSecond int64
}

// directories is a flag that may be given several times.
type directories []string

func (d *directories) String() string { return strings.Join(*d, string(filepath.ListSeparator)) }

func (d *directories) Set(value string) error {
	*d = append(*d, filepath.SplitList(value)...)
	return nil
}

func (u *upstreams) add(flags *flag.FlagSet) {
	flags.Var(&u.directories, "allow-file", "`directory` whose files remotes may name by file://; may be given several times")
	flags.StringVar(&u.private, "private-upstreams", "", "which addresses that are not of the open internet, such as loopback, may be fetched from: all, none, or `networks` such as 10.1.0.0/16,192.168.7.9; of a proxy, its own address counts (default: all for ream serve while --listen is on loopback, else none)")
	flags.IntVar(&u.hostConnections, "host-connections", 64, "how many downloads may run at once from one host, of all remotes together")
	flags.Int64Var(&u.hostBytesPerSecond, "host-bytes-per-second", 0, "how many bytes a second may come from one host, for all remotes together; 0 for any number")
}

// check reports what the flags may not say.
func (u upstreams) check() error {
	_, err := u.networks(false)
	return errors.Join(err,
		want(u.hostConnections >= 1, "--host-connections: want 1 or more"),
		want(u.hostBytesPerSecond == 0 || u.hostBytesPerSecond >= 1024, "--host-bytes-per-second: want 1024 or more, or 0 for any number"))
}

func (u upstreams) networks(onLoopback bool) (fetch.Networks, error) {
	private := u.private
	switch {
	case private == "" && onLoopback:
		private = "all"
	case private == "":
		private = "none"
	}
	n, err := fetch.ParseNetworks(private)
	if err != nil {
		err = fmt.Errorf("--private-upstreams: %w", err)
	}
	return n, err
}

// client returns what downloads as the flags allow, in a server that only this
// machine reaches, or in another process.
func (u upstreams) client(onLoopback bool) (*fetch.Client, error) {
	config := fetch.Config{UserAgent: "ream/" + version, HostConnections: u.hostConnections, HostBytesPerSecond: u.hostBytesPerSecond}
	var err error
	if config.Networks, err = u.networks(onLoopback); err != nil {
		return nil, err
	}
	for _, dir := range u.directories {
		root, err := openDirectory(dir)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--allow-file: %w", err), fetch.New(config).Close())
		}
		config.Directories = append(config.Directories, root)
	}
	return fetch.New(config), nil
}

// openDirectory opens a directory by its absolute path, which URLs name.
func openDirectory(dir string) (*os.Root, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(absolute)
}
