SHELL := /bin/bash
.DEFAULT_GOAL := help
MODULES := . $(shell find examples -name go.mod -printf '%h ' 2>/dev/null) e2e packaging deploy/charttest

.PHONY: help demo serve-demo test stress bench bench-job all format vet staticcheck build release image pictures fuzz e2e cluster-up cluster-down

help: ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## Build bin/sluice
	@mkdir -p bin && go build -ldflags='-s -w' -o bin/sluice ./cmd/sluice

BASE_URL ?= https://github.com/sluice-cd/sluice/releases/download/$(VERSION)
release: ## Build dist/: the packages of VERSION, such as v0.1.0, that will be downloaded from BASE_URL
	@cd packaging && go run . -version '$(VERSION)' -url '$(BASE_URL)'

image: ## Build dist/: only the container image of VERSION
	@cd packaging && go run . -image -version '$(VERSION)'

pictures: ## Draw the pictures in docs again
	@go run ./internal/picture

demo: ## Deliver a web shop and its database on this machine: six acts, one report
	@mkdir -p bin && cd examples/demo && go build -o ../../bin/sluice-demo . && cd ../.. && exec bin/sluice-demo

LISTEN ?= 127.0.0.1:8080
serve-demo: ## Look at the pages of a server with deployments of the demo, at LISTEN, until Ctrl-C
	@mkdir -p bin && cd examples/demo && go build -o ../../bin/sluice-demo . && cd ../.. && exec bin/sluice-demo serve --listen '$(LISTEN)'

# gotestsum prints as go test does, and at the end every skipped and every failed test.
GOTESTSUM := $(CURDIR)/bin/gotestsum
$(GOTESTSUM): go.mod
	@mkdir -p bin && go build -o $@ gotest.tools/gotestsum

test: $(GOTESTSUM) ## Run every test
	$(GOTESTSUM) --format=standard-quiet -- -timeout 9m ./...
	@for m in $(filter-out . e2e,$(MODULES)); do (cd $$m && $(GOTESTSUM) --format=standard-quiet -- -count=1 ./...) || exit 1; done

STRESS ?= 20
stress: $(GOTESTSUM) ## Find tests that depend on luck: each 20 times (STRESS) with busy cores, then the suites of e2e 3 times
	@GOOS=darwin CGO_ENABLED=0 go vet ./cmd/sluice # not in vet: it compiles everything once more
	@for i in $$(seq $$(nproc)); do yes >/dev/null & done; trap 'kill $$(jobs -p)' EXIT; \
	  $(GOTESTSUM) --format=standard-quiet -- -timeout 3h -count=$(STRESS) ./...
	SLUICE_LONG=1 go test -count=1 -run TestFleet ./cmd/sluice
	@for i in 1 2 3; do E2E_LONG=1 $(MAKE) e2e E2EFLAGS=-count=1 || exit 1; done

BENCH_MIB ?= 2048
bench: ## Compare speed on this machine with goals and rivals; as root also at scale and between pods of two clusters
	@go run ./internal/benchtable
	@if [ $$(id -u) = 0 ]; then cd e2e && go run ./cmd/scale && $(MAKE) -C .. bench-job; \
	  else echo "only root can measure canaries at scale, and copies in clusters"; fi

bench-job: ## Only the last part of bench: a volume of BENCH_MIB is copied and filled by Jobs, against tar and rsync
	@cd e2e && go run ./cmd/cluster up && { E2E_JOB_MIB=$(BENCH_MIB) go test -count=1 -timeout 60m -run TestMeasure -v ./job; \
	  status=$$?; go run ./cmd/cluster down && exit $$status; }

cluster-up: ## Start two complete Kubernetes clusters on this machine, as root; use them with .cluster/kubeconfig
	@cd e2e && go run ./cmd/cluster up

cluster-down: ## Stop these clusters and delete everything they left
	@cd e2e && go run ./cmd/cluster down

# The suites run one after the other, because some stop the API server.
e2e: $(GOTESTSUM) ## Deliver to two clusters: on this machine, as root, or to two contexts of yours, E2E_CONTEXTS=a,b
	@cd e2e && go run ./cmd/cluster up && { go run ./cmd/suites $(GOTESTSUM) -p 1 -timeout 35m $(E2EFLAGS); status=$$?; go run ./cmd/cluster down && exit $$status; }

FUZZTIME ?= 1m
fuzz: ## Fuzz the parsers, each for FUZZTIME, such as 1m (default) or 20000x, which counts inputs
	@for p in deployfile manifest config compose api; do go test -run '^$$' -fuzz '^Fuzz(Parse|Read)$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 1x ./internal/$$p || exit 1; done

format: ## Fail if a file is not formatted with gofmt
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi

vet: ## Run go vet on every module
	@for m in $(MODULES); do (cd $$m && go vet ./...) || exit 1; done

staticcheck: ## Run staticcheck
	go tool staticcheck ./...

all: format vet staticcheck test ## Everything that CI runs
	$(MAKE) fuzz FUZZTIME=10000x # a number: when a time ends, go test now and then reports its own deadline as a failure
	$(MAKE) demo
	$(MAKE) e2e
