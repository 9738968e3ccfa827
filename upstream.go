package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"ream/db"
	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

// upstreams are the flags about what may be fetched, and by which secrets, of
// serve and worker.
type upstreams struct {
	directories        directories
	private            string
	hostConnections    int
	hostBytesPerSecond int64
	keyFile            string
	forgetSecrets      bool
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
	flags.StringVar(&u.keyFile, "secret-key-file", "", "`file` with the key that the secrets of remotes are stored under; servers that share a database have to share it (default: secret.key below --data, made at the first start)")
	flags.BoolVar(&u.forgetSecrets, "forget-secrets", false, "delete the stored secrets of all remotes at the start, for when their key is lost")
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
// machine reaches, or in another process, before an observer's eyes.
func (u upstreams) client(onLoopback bool, o *observer) (*fetch.Client, error) {
	config := fetch.Config{UserAgent: "ream/" + version, Observe: o.download, HostConnections: u.hostConnections, HostBytesPerSecond: u.hostBytesPerSecond}
	var err error
	if config.Networks, err = u.networks(onLoopback); err != nil {
		return nil, err
	}
	for _, dir := range u.directories {
		absolute, err := checkDirectory(dir)
		if err != nil {
			return nil, fmt.Errorf("--allow-file: %w", err)
		}
		config.Directories = append(config.Directories, absolute)
	}
	return fetch.New(config), nil
}

// checkDirectory makes sure that a directory can be opened by its absolute path,
// which URLs name.
func checkDirectory(dir string) (absolute string, err error) {
	if absolute, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(absolute)
	if err != nil {
		return "", err
	}
	return absolute, root.Close()
}

// key returns the key of the secrets, once it is certain that it opens those
// that the database holds.
func (u upstreams) key(ctx context.Context, data string, store *db.DB, log *slog.Logger) (*secret.Key, error) {
	path, load := u.keyFile, secret.Load
	if path == "" {
		path, load = filepath.Join(data, "secret.key"), secret.LoadOrCreate
	}
	key, err := load(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		log.Warn("everybody on this machine may read the secrets' key: chmod it to 0600", "file", path)
	}
	err = store.InTx(ctx, func(tx *db.Tx) error {
		if u.forgetSecrets {
			n, err := tx.ForgetSecrets(ctx)
			if err != nil {
				return err
			}
			log.Warn("the secrets of remotes were deleted", "remotes", n)
		}
		return tx.ClaimKey(ctx, key.ID())
	})
	if fault.Is(err, fault.Conflict) {
		return nil, fmt.Errorf("%s: start with --secret-key-file and that key, which all servers of a database share; if it is lost, start once with --forget-secrets and set the secrets anew", fault.Message(err))
	}
	return key, err
}
