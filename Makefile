# Every target works on a fresh Debian machine: as root it installs what it
# needs, elsewhere it says what is missing.

SHELL := /bin/bash
# Go's own archive is unpacked there, which is not in every PATH.
export PATH := $(PATH):/usr/local/go/bin
.DEFAULT_GOAL := help
.PHONY: help generate web clients build run demo check test bench

help: ## Shows what there is to make.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

generate: ## Writes the generated code anew, from the schema.
	@.ci/require go
	go tool gqlgen generate
	go generate ./...

web: web/dist/graphiql.js.gz web/dist/app/index.html.gz ## Builds the pages and fetches the playground's files, to be built in.

web/dist/graphiql.js.gz: web/playground/package-lock.json .ci/playground
	@.ci/require npm
	.ci/playground

web/dist/app/index.html.gz: $(shell find web/app -name node_modules -prune -o -name built -prune -o -name '*.gen.ts' -o -type f -print) schema.graphqls $(filter-out %.golden.graphqls,$(wildcard graph/*.graphqls)) .ci/pages
	@.ci/require npm
	.ci/pages

clients: clienttest/node_modules/.package-lock.json ## Fetches the clients that the tests run, and the schema's lint.

clienttest/node_modules/.package-lock.json: clienttest/package-lock.json
	@.ci/require npm
	npm ci --prefix clienttest --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

build: $(if $(shell command -v npm),web) ## Builds bin/ream; with the pages and the playground if npm is there.
	@.ci/require go
	$(if $(shell command -v npm),,@echo 'npm is missing, so the pages may be left out: make web builds them')
	CGO_ENABLED=0 go build -trimpath -o bin/ream .

run: build ## Serves on http://127.0.0.1:8080, with its state in bin/data; ARGS adds flags.
	bin/ream serve --data bin/data $(ARGS)

demo: ## Mirrors an upstream of its own, to look around; ARGS=--exit ends by itself.
	@.ci/require go npm
	@$(MAKE) --no-print-directory build
	bin/ream demo $(ARGS)

check: ## Checks what needs no running: generated code, format, vet, staticcheck, architecture, schema.
	@.ci/require go npm
	@$(MAKE) --no-print-directory clients
	.ci/generated
	@unformatted=$$(find . -name node_modules -prune -o -name '*.go' -exec gofmt -l {} +); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	cd bench && go vet ./... && $$(go -C .. tool -n staticcheck) ./...
	go test -count=1 arch_test.go
	go test -count=1 -run '^TestSchema' ./graph
	clienttest/node_modules/.bin/eslint --config clienttest/eslint.config.js schema.graphqls 'graph/*.graphqls'

test: ## Runs all tests, with the race detector, a PostgreSQL of their own, a browser and clients in Node.js.
	@.ci/require go gcc npm $(if $(REAM_TEST_POSTGRES),,postgresql) $(if $(REAM_TEST_BROWSER),,chromium)
	@$(MAKE) --no-print-directory web clients
	.ci/test

bench: ## Measures Ream beside its peers: SUITE=api, content, large, scale, serve, start or tasks; QUICK=1 for 50 seconds; DIR=... to say where.
	@: $(if $(SUITE),,$(error name what to measure: make bench SUITE=api, content, large, scale, serve, start or tasks))
	@.ci/require go curl nginx wrk $(if $(REAM_BENCH_POSTGRES),,postgresql)
	@$(MAKE) --no-print-directory build
	$(if $(DIR),REAM_BENCH_DIR=$(DIR)) .ci/bench $(if $(QUICK),--quick) $(SUITE)
