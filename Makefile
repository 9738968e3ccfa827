# Every target works on a fresh Debian machine: as root it installs what it
# needs, elsewhere it says what is missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help generate web build run demo check test

help: ## Shows what there is to make.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

generate: ## Writes the generated code anew, from the schema.
	go tool gqlgen generate
	go generate ./...

web: web/dist/graphiql.js.gz ## Fetches the playground's files, to be built in.

web/dist/graphiql.js.gz: web/playground/package-lock.json .ci/playground
	.ci/playground

build: $(if $(shell command -v npm),web) ## Builds bin/ream; with the playground if npm is there.
	CGO_ENABLED=0 go build -trimpath -o bin/ream .

run: build ## Starts the server on http://127.0.0.1:8080, with its state in bin/data.
	bin/ream serve --data bin/data

demo: ## Starts a server with an upstream to mirror, to look around.
	.ci/require go npm
	$(MAKE) build
	bin/ream demo

check: ## Checks what needs no running: generated code, format, vet, staticcheck, architecture.
	.ci/require go
	.ci/generated
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go test -count=1 -run '^TestArchitecture' .

test: ## Runs all tests, with the race detector and a PostgreSQL of their own.
	.ci/require go gcc npm curl $(if $(REAM_TEST_POSTGRES),,pg_virtualenv)
	$(MAKE) web
	.ci/test
