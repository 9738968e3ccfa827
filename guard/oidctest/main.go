// Command oidctest is a real OpenID Connect issuer for tests: zitadel/oidc, with
// programs as its users.
//
// It prints its address once it listens on a port of its own on loopback, and
// ends when its standard input does. A program gets a JWT for "ream" by the
// client credentials grant, with any name and the secret "secret". The JWT's
// claim "groups" has "ream-" and the program's name. It is good for five minutes, or
// for three seconds if the program's name is "brief".
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	go func() {
		// Whoever started it is done with it, or gone.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	var key [32]byte
	rand.Read(key[:]) // never fails
	users := &programs{storage.NewStorage(storage.NewUserStore(address))}
	provider, err := op.NewProvider(&op.Config{CryptoKey: key, CryptoKeyId: "1"}, users, op.StaticIssuer(address), op.WithAllowInsecure())
	if err != nil {
		return err
	}
	fmt.Println(address)
	return http.Serve(listener, provider)
}

// programs are the issuer's users. Its keys and what else it keeps are those of
// the library's own storage.
type programs struct{ *storage.Storage }

// ClientCredentials lets a program in.
func (p *programs) ClientCredentials(ctx context.Context, name, secret string) (op.Client, error) {
	if secret != "secret" {
		return nil, errors.New("wrong secret")
	}
	known, err := p.Storage.ClientCredentials(ctx, "sid1", "verysecret") // of the storage
	return program{known, name}, err
}

// ClientCredentialsTokenRequest says what is in a program's JWT.
func (p *programs) ClientCredentialsTokenRequest(_ context.Context, name string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: name, Audience: oidc.Audience{"ream"}, Scopes: scopes}, nil
}

// CreateAccessToken says for how long a program's JWT is good.
func (p *programs) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	id, until, err := p.Storage.CreateAccessToken(ctx, r)
	if r.GetSubject() == "brief" {
		until = time.Now().Add(3 * time.Second)
	}
	return id, until, err
}

// GetPrivateClaimsFromScopes says in which groups a program is.
func (p *programs) GetPrivateClaimsFromScopes(_ context.Context, name, _ string, _ []string) (map[string]any, error) {
	return map[string]any{"groups": []string{"ream-" + name}}, nil
}

// program is one that gets JWTs.
type program struct {
	op.Client
	name string
}

func (p program) GetID() string { return p.name }

func (program) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
