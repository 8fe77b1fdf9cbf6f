# What can be done with this repository. CI calls these targets and nothing
# else. The tools that they use are pinned in tools.mod.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

GO ?= go
TOOL := $(GO) tool -modfile=tools.mod

# Modules of their own, and those of them that start goroutines.
NESTED := autobahn/peers bench internal/flate/peers internal/xor/gen internal/xor/peers
RACED := autobahn/peers bench

# What make bench compares: see bench/README.md.
BENCH ?=

# How make scale runs: see bench/README.md.
SCALE ?=

# How long each fuzz target runs.
FUZZTIME ?= 10s

# What runs on emulated processors, where everything is slow: make arch
# ARCH_PKGS=./internal/xor ARCH_FLAGS='-run=Mask'
ARCH_PKGS ?= . ./internal/...
ARCH_FLAGS ?= -short

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 12

.PHONY: fmt
fmt: ## format all Go files
	$(TOOL) gofumpt -l -w .

.PHONY: lint
lint: ## vet, lint, check formatting, go.mod and generated assembly
	$(TOOL) golangci-lint run
	for module in $(NESTED); do (cd $$module && $(GO) tool -modfile=$(CURDIR)/tools.mod golangci-lint run --disable depguard) || exit; done
	$(GO) mod tidy -diff
	cd internal/xor/gen && $(GO) vet . && $(GO) test .

.PHONY: audit
audit: ## look for dead code and unused parameters (to judge by eye, not in CI)
	$(TOOL) deadcode -test ./...
	$(TOOL) unparam ./...

.PHONY: test
test: ## run the tests
	$(GO) test ./...

.PHONY: race
race: ## run the tests in random order under the race detector
	$(GO) test -race -shuffle=on ./...
	for module in $(RACED); do (cd $$module && $(GO) test -race -short ./...) || exit; done

.PHONY: arch arch-vet arch-386 arch-arm64 arch-s390x arch-purego
arch: arch-vet arch-386 arch-arm64 arch-s390x arch-purego ## check other systems and processors (needs qemu-user on Linux)

arch-vet:
	GOOS=windows $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=freebsd $(GO) vet ./...
	GOOS=plan9 $(GO) vet ./...
	GOOS=js GOARCH=wasm $(GO) build ./...

arch-386: # runs without an emulator; where the kernel has no 32-bit programs, another 32-bit processor is emulated
	if CGO_ENABLED=0 GOARCH=386 $(GO) test -run '^$$' ./internal/bufpool > /dev/null 2>&1; \
	then CGO_ENABLED=0 GOARCH=386 $(GO) test ./...; \
	else GOARCH=386 $(GO) vet ./... && CGO_ENABLED=0 GOARCH=arm $(GO) test -exec "$$(command -v qemu-arm || command -v qemu-arm-static)" $(ARCH_FLAGS) $(ARCH_PKGS); fi

arch-arm64: # assembly of its own
	CGO_ENABLED=0 GOARCH=arm64 $(GO) test -exec "$$(command -v qemu-aarch64 || command -v qemu-aarch64-static)" $(ARCH_FLAGS) $(ARCH_PKGS)

arch-s390x: # big-endian
	CGO_ENABLED=0 GOARCH=s390x $(GO) test -exec "$$(command -v qemu-s390x || command -v qemu-s390x-static)" $(ARCH_FLAGS) $(ARCH_PKGS)

arch-purego: # no assembly
	$(GO) test -tags purego . ./internal/xor

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	GO="$(GO)" .ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## compare with other libraries: make bench BENCH='-libs ours-*,gorilla -rounds 5'
	cd bench && $(GO) run ./run $(BENCH)

.PHONY: bench-smoke
bench-smoke: ## see that the comparison works, without numbers worth a look
	cd bench && $(GO) vet ./... && $(GO) mod tidy -diff && $(GO) test -short ./...
	cd bench && $(GO) run ./run -quick -out "$$(mktemp -d)"
	$(GO) test -run xxx -bench . -benchtime 1x ./...

.PHONY: scale
scale: ## an Engine with 100,000 connections for ten minutes: make scale SCALE='-conns 20000 -duration 1m'
	cd bench && $(GO) run ./scale $(SCALE)

.PHONY: kernels
kernels: ## compare the masking and text kernels with other libraries' and with C
	cd internal/xor/peers && $(GO) run .

.PHONY: deflate
deflate: ## compare our DEFLATE with that of other libraries
	cd internal/flate/peers && $(GO) run .

.PHONY: autobahn autobahn-original
autobahn: ## run the conformance suite against examples/echo and the client
	GO="$(GO)" .ci/autobahn

autobahn-original: ## run the original conformance suite (needs a Docker engine)
	GO="$(GO)" autobahn/original/run

.PHONY: interop
interop: ## talk to other implementations
	./interop/install.sh
	WEBSOCKET_INTEROP=required $(GO) test -count=1 ./interop/...
