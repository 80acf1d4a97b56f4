# make test installs what the tests need and passes every test; the other targets are the steps of .ci/run.

GO ?= go
PKGS ?= ./...
FUZZTIME ?= 10s
LINT = $(GO) tool -modfile=tools/lint.mod golangci-lint
VULN = golang.org/x/vuln/cmd/govulncheck@v1.1.4

.DEFAULT_GOAL := test
.PHONY: test install vet lint race archtest fuzz experiments bench docs build vuln

test: install ## install the servers that the tests use, then run every test
	$(GO) build $(PKGS)
	CHAOS_REQUIRE_SERVERS=1 $(GO) test -p 1 -timeout 20m $(PKGS)

install: ## PostgreSQL, Redis and ClickHouse, if they are not there
	sh tools/install-servers.sh

build: ## bin/chaos
	$(GO) build -o bin/chaos ./cmd/chaos

vet:
	$(GO) vet $(PKGS)

lint: ## golangci-lint with staticcheck and gosec
	$(LINT) run $(PKGS)

race: ## every test again under the race detector; of e2e, which mostly waits for other programs, those in which much goes on at once
	$(GO) build -race $(PKGS)
	CHAOS_REQUIRE_SERVERS=1 $(GO) test -race -p 1 -timeout 30m $$($(GO) list $(PKGS) | grep -v '/e2e$$')
	CHAOS_REQUIRE_SERVERS=1 $(GO) test -race -timeout 30m -run 'TestSoundServicePasses|Lifted|TestSights|TestRequests|TestToxiproxy' ./e2e

archtest: ## import rules, package comments, file sizes
	$(GO) test -count=1 ./internal/archtest

fuzz: ## each fuzz target for FUZZTIME
	sh tools/fuzz.sh $(FUZZTIME)

experiments: ## the shipped experiments, gated by their checklist, on the installed servers and on the stand-ins
	$(GO) run ./cmd/chaos run --servers real --gate
	$(GO) run ./cmd/chaos run --servers standin --gate

bench: ## the tables of docs/performance.md, or those of SECTIONS only: make bench SECTIONS=peers, SECTIONS='throughput latency'
	sh tools/bench.sh $(SECTIONS)

docs: ## write the generated documents and the schema again
	$(GO) test -count=1 ./cmd/chaos ./experiments ./faults -run 'Docs|GoldenReference|GoldenSchema' -update

vuln: ## needs the vulnerability database, which not every network reaches
	$(GO) run $(VULN) $(PKGS)
