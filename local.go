package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"

	"ream/access"
)

// localSocket is where the server of an embedded database listens beside it, for
// those of the same system who may open the file anyway: while the server runs,
// they cannot.
func localSocket(database string) string { return database + ".sock" }

// listenLocally listens at a path for the system's own users. Only the server's
// user, and root, can connect.
func listenLocally(path string) (net.Listener, error) {
	// Until its mode is set, the socket lies where others cannot come; what a
	// server left that was killed is replaced.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".sock-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return &localListener{listener, path}, nil
}

// localListener takes its file away when it is closed.
type localListener struct {
	net.Listener
	path string
}

func (l *localListener) Close() error {
	return errors.Join(os.Remove(l.path), l.Listener.Close())
}

// withLocal says of connections that come from the system itself who asks.
func withLocal(ctx context.Context, c net.Conn) context.Context {
	if c.LocalAddr().Network() != "unix" {
		return ctx
	}
	return access.WithCaller(ctx, localCaller())
}

// localCaller is the user of the system who runs the program.
func localCaller() access.Caller {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return access.Caller{Principal: access.Principal{Kind: access.Local, Name: name, Role: access.Admin}}
}
