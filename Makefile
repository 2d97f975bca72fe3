# Everything here works in a fresh clone on Linux with Go. The tests that need
# Docker Engines start their own, as root; elsewhere they are skipped.

GO ?= go
ROUNDS ?= 30
SEED ?= 1
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Real swarms on a busy computer lose a leader or a heartbeat now and then: what failed is run
# once more, by itself, and named at the end. What fails again has failed.
GOTESTSUM ?= gotest.tools/gotestsum@v1.13.0
RERUN = $(GO) run $(GOTESTSUM) --format standard-quiet --rerun-fails=1 --rerun-fails-max-failures=30 --rerun-fails-run-root-test --rerun-fails-report
TESTFLAGS ?=
BIN ?= bin/swarmscript
# Functions are inlined in Starlark, in Go's runtime, and in what evaluates, compares
# and plans; all start at every 16th byte, not at every 32nd. It makes the program an
# eighth smaller, and nothing slower that one would see.
CORE = lang builtins $(addprefix internal/,apply diag plan resource schema swarm value)
SMALL = -ldflags='-s -w -funcalign=16' -gcflags=all=-l $(foreach p,$(addprefix github.com/swarmscript/swarmscript/,$(CORE)) go.starlark.net/... runtime/... internal/runtime/...,-gcflags=$(p)=)
# How many packages are tested at once: much of their time is waiting.
PACKAGES ?= 2

.PHONY: build test lint bench soak spec cross demo prepare

build: ## the program, as bin/swarmscript
	CGO_ENABLED=0 $(GO) build -trimpath $(SMALL) -o $(BIN) ./cmd/swarmscript

prepare: ## what the test engines need: Debian packages, dockerd and docker 28.5.2, images
	@if [ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ]; then $(GO) run ./internal/testengine/prepare; \
	else echo "not root on Linux: the tests that need real engines will be skipped"; fi

test: prepare ## all tests, with the race detector
	@# The examples have the machine to themselves: a client counts there what is not answered.
	@# What one goroutine computes, up to a script's limits, is left out of the race detector's tests.
	status=0; again=$$(mktemp -d); \
	$(GO) test -run '^(TestMalice|TestMemory)$$' $(TESTFLAGS) ./lang || status=1; \
	$(RERUN)=$$again/1 --packages="$$($(GO) list ./... | grep -v '/examples$$' | tr '\n' ' ')" -- -race -timeout 40m -p $(PACKAGES) $(TESTFLAGS) || status=1; \
	$(RERUN)=$$again/2 --packages=./examples -- -race -timeout 40m $(TESTFLAGS) || status=1; \
	if grep -hs . $$again/*; then echo "these were run again"; else echo "nothing was run again"; fi; \
	rm -r $$again; exit $$status

lint: ## gofmt, vet, staticcheck
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not formatted:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

bench: prepare ## speed, and its ratios to peers
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) run ./bench

soak: prepare ## ROUNDS of SIGKILL at random moments of an apply, and of harm to a lab, from SEED on
	$(GO) test -count 1 -timeout 0 -run '^Test(Azure)?Soak$$' -v ./internal/run -soak.rounds=$(ROUNDS) -soak.seed=$(SEED)
	$(GO) test -count 1 -timeout 0 -run '^TestLabSoak$$' -v ./examples -lab.rounds=$(ROUNDS) -lab.seed=$(SEED)

spec: ## the generated part of spec.md
	$(GO) generate ./internal/docs

cross: ## it builds for linux, darwin and windows, its tests too
	@for target in linux/arm64 darwin/arm64 windows/amd64; do echo $$target; \
		export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; \
		$(GO) build -o /dev/null ./cmd/swarmscript && $(GO) vet ./... || exit 1; done

demo: prepare ## applies examples/one-engine to an engine of its own, and again, and takes it away
	$(GO) run ./internal/testengine/demo
