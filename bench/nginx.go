package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
)

// nginx serves files: an upstream for Ream, and a peer.
type nginx struct {
	*process
	address string // http://host:port
}

// startNginx serves the files below root until the run ends. It keeps
// connections open as long as Ream does, and writes no log of requests.
func (b *bench) startNginx(ctx context.Context, root string) (*nginx, error) {
	dir, err := b.newDir("nginx")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
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
	p, err := b.start(dir, "nginx", "-c", path, "-e", "stderr")
	if err != nil {
		return nil, err
	}
	b.setting("nginx: %d workers, sendfile, tcp_nopush, no open_file_cache, no access log", runtime.NumCPU())
	return &nginx{p, "http://" + address}, p.await(ctx, func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}
