package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// nginx serves files: an upstream for Ream, and a peer.
type nginx struct {
	*process
	address string // http://host:port
}

// startPeer serves the files below root until the run ends, over connections that
// are like Ream's own.
func (b *bench) startPeer(ctx context.Context, root string) (*nginx, error) {
	return b.startNginx(ctx, root, nil)
}

// startUpstream serves the files below root until the run ends, over connections
// that no timer paces, whatever the machine has for others: over loopback, BBR takes
// 20,000 interrupts a second to pace what large files are sent by, from processors
// that no other machine's pacing would touch.
func (b *bench) startUpstream(ctx context.Context, root string) (*nginx, error) {
	return b.startNginx(ctx, root, func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "cubic") // as Linux does unless it is told otherwise
		}), err)
	})
}

// startNginx serves the files below root. It keeps connections open as long as
// Ream does, and writes no log of requests. The socket that it listens on, and
// connections after it, are as control makes it.
func (b *bench) startNginx(ctx context.Context, root string, control func(network, address string, c syscall.RawConn) error) (*nginx, error) {
	dir, err := b.newDir("nginx")
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{Control: control}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	address := listener.Addr().String()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // otherwise its workers may not read what is below a private directory
	}
	config := fmt.Sprintf(`%[1]s
daemon off;
worker_processes %[2]d;
pid %[3]s/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_timeout 120s;
	keepalive_requests 1000000000;
	default_type application/octet-stream;
	client_body_temp_path %[3]s; proxy_temp_path %[3]s; fastcgi_temp_path %[3]s; uwsgi_temp_path %[3]s; scgi_temp_path %[3]s;
	server { listen %[4]s; root %[5]s; }
}
`, user, runtime.NumCPU(), dir, address, root)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return nil, err
	}
	command := exec.Command("nginx", "-c", path, "-e", "stderr")
	command.ExtraFiles, command.Env = []*os.File{socket}, append(os.Environ(), "NGINX=3;") // which it listens on as if it took over from another nginx
	p, err := b.startCommand(dir, command)
	if err != nil {
		return nil, err
	}
	// A worker that blocked where another was faster would keep its clients waiting.
	if err := syscall.SetNonblock(int(socket.Fd()), true); err != nil {
		return nil, err
	}
	b.setting("nginx: %d workers, sendfile, tcp_nopush, no open_file_cache, no access log", runtime.NumCPU())
	return &nginx{p, "http://" + address}, p.await(ctx, func() bool {
		response, err := http.Get("http://" + address)
		if err != nil {
			return false
		}
		response.Body.Close()
		return true
	})
}
