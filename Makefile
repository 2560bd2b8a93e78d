# Targets for people. Needs Go (see go.mod) and nothing else; the solvers are
# checked against glpsol too, and the rules under deploy/ by promtool, where these are
# installed (Debian: apt-get install glpk-utils prometheus).
GO      ?= go
BIN     := bin
TOOLS   := $(GO) tool -modfile=internal/tools/go.mod
FUZZ    ?= 10s
COUNT   ?= 5
export CGO_ENABLED = 0

.DEFAULT_GOAL := help
.PHONY: help build run test e2e bench bench-long fuzz lint docs ci clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build all binaries into bin/
	$(GO) build -o $(BIN)/ ./cmd/...

run: build ## Simulate the embedded example and write report.html
	$(BIN)/wattle simulate examples/follow-the-sun.yaml --report report.html --save run.json

test: ## Run all tests that need nothing but Go
	$(GO) test ./...

e2e: build ## Run end to end: examples, real plugin processes, the DCGM stand-in
	$(BIN)/wattle simulate -q examples/follow-the-sun.yaml -o none
	$(BIN)/wattle policy test latency_within
	$(BIN)/wattle validate
	$(GO) test -count=1 -tags e2e ./plugins/... ./cmd/...
	@command -v promtool >/dev/null || echo "promtool is not installed (Debian: prometheus): rules and metrics are not checked by it"
	$(GO) test -count=1 -tags e2e ./deploy ./telemetry/exporter -run 'Promtool|Prometheus'
	cd plugins/dcgm && CGO_ENABLED=1 $(GO) vet -modfile=go.standin.mod ./... && CGO_ENABLED=1 $(GO) test -count=1 -modfile=go.standin.mod ./...

bench: ## Run the benchmarks behind every speed and memory figure
	$(GO) test -run '^$$' -bench . -benchmem -count=$(COUNT) -timeout 60m ./...

bench-long: ## Simulate 100 M invocations of 80,000 functions: minutes, and the peak memory
	WATTLE_BENCH_LONG=1 GOMAXPROCS=1 $(GO) test -run '^$$' -bench HundredMillion -benchtime 1x -timeout 60m ./cmd/wattle/internal/experiment

fuzz: ## Fuzz every parser for FUZZ (default 10s) each
	@set -e; for f in $$(grep -rl --include=*_test.go '^func Fuzz' . | grep -v '/dcgm/'); do \
	  for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$f); do \
	    echo "== $$f $$t"; $(GO) test ./$$(dirname $$f) -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZ); done; done

lint: ## Check formatting, vet and static analysis
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(TOOLS) staticcheck ./...

docs: ## Generate the reference pages under docs/
	$(GO) generate ./...

ci: ## What continuous integration runs
	bash .ci/run

clean: ## Remove what the other targets made
	rm -rf $(BIN) report.html run.json
