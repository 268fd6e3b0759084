SHELL := /bin/bash
.DEFAULT_GOAL := help
MODULES := . $(shell find examples -name go.mod -printf '%h ' 2>/dev/null) e2e

.PHONY: help demo test bench all format vet staticcheck build fuzz e2e cluster-up cluster-down

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## Build bin/sluice
	@mkdir -p bin && go build -ldflags='-s -w' -o bin/sluice ./cmd/sluice

demo: ## Deliver a web shop and its database on this machine: six acts, one report
	@mkdir -p bin && cd examples/demo && go build -o ../../bin/sluice-demo . && cd ../.. && exec bin/sluice-demo

test: ## Run every test
	go test -timeout 9m ./...
	@for m in $(filter examples/%,$(MODULES)); do (cd $$m && go test ./...) || exit 1; done

bench: ## Measure speed against goals and rivals on this machine; as root, also at scale on a control plane of its own
	@go run ./internal/benchtable
	@if [ $$(id -u) = 0 ]; then cd e2e && go run ./cmd/scale; else echo "canaries at scale are measured as root only"; fi

cluster-up: ## Start two whole Kubernetes clusters on this machine, as root; .cluster/kubeconfig reaches them
	@cd e2e && go run ./cmd/cluster up

cluster-down: ## End them, with all that they left
	@cd e2e && go run ./cmd/cluster down

# One suite after the other: some take the API server away from all. What failed is run again, twice at most, and stays in the output.
e2e: ## Deliver to two clusters: of this machine, as root, or two contexts of yours, E2E_CONTEXTS=a,b
	@cd e2e && go run ./cmd/cluster up && { for try in 1 2 3; do go test -p 1 -timeout 35m ./...; status=$$?; [ $$status != 0 ] || break; done; go run ./cmd/cluster down && exit $$status; }

FUZZTIME ?= 1m
fuzz: ## Fuzz the parsers, FUZZTIME each (default one minute)
	@for p in deployfile manifest config; do go test -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME) -fuzzminimizetime 1x ./internal/$$p || exit 1; done

format: ## Fail if a file is not gofmt'ed
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi

vet: ## Run go vet on every module
	@for m in $(MODULES); do (cd $$m && go vet ./...) || exit 1; done

staticcheck: ## Run staticcheck
	go tool staticcheck ./...

all: format vet staticcheck test ## Everything that CI runs
	$(MAKE) fuzz FUZZTIME=10s
	$(MAKE) demo
	$(MAKE) e2e
