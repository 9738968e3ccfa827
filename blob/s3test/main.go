// Command s3test is a real S3 server for tests: versitygw, with its data in a
// directory.
//
// It prints its address once it listens on a port of its own on loopback, and
// ends when its standard input does. AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY are the account that owns everything. The account
// "stranger" with the secret "stranger" has no rights.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

const region = "us-east-1"

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: s3test DIRECTORY")
	}
	go func() {
		// Whoever started it is done with it, or gone.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := serve(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func serve(dir string) error {
	for _, name := range []string{"data", "meta", "versions", "accounts"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o750); err != nil {
			return err
		}
	}
	side, err := meta.NewSideCar(filepath.Join(dir, "meta"))
	if err != nil {
		return err
	}
	storage, err := posix.New(filepath.Join(dir, "data"), side, posix.PosixOpts{
		SideCarDir:          filepath.Join(dir, "meta"),
		VersioningDir:       filepath.Join(dir, "versions"),
		CopyObjectThreshold: 5 << 30, // as S3 has it
	})
	if err != nil {
		return err
	}
	root := auth.Account{Access: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Role: auth.RoleAdmin}
	accounts, err := auth.NewInternal(root, filepath.Join(dir, "accounts"))
	if err != nil {
		return err
	}
	if err := accounts.CreateAccount(auth.Account{Access: "stranger", Secret: "stranger", Role: auth.RoleUser}); err != nil {
		return err
	}
	for range 10 {
		if err = listen(storage, root, accounts); err == nil {
			return nil
		}
	}
	return err
}

// listen serves on a port that was free just before.
func listen(storage *posix.Posix, root auth.Account, accounts auth.IAMService) error {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := probe.Addr().String()
	if err := probe.Close(); err != nil {
		return err
	}
	server, err := s3api.New(storage, middlewares.RootUserConfig{Access: root.Access, Secret: root.Secret}, region, accounts,
		nil, nil, nil, nil, s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithConcurrencyLimiter(1000, 1000),
		s3api.WithOnListen(func() { fmt.Println("http://" + address) }))
	if err != nil {
		return err
	}
	return server.ServeMultiPort([]string{address})
}
