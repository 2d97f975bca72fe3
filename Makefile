# Everything here works in a fresh clone on Linux with Go. The tests that need
# Docker Engines start their own, as root; elsewhere they are skipped.

GO ?= go
ROUNDS ?= 30
SEED ?= 1
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
TESTFLAGS ?=

.PHONY: build test lint bench soak spec cross demo prepare

build: ## the program, as bin/swarmscript
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/swarmscript ./cmd/swarmscript

prepare: ## what the test engines need: Debian packages, dockerd and docker 28.5.2, images
	@if [ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ]; then $(GO) run ./internal/testengine/prepare; \
	else echo "not root on Linux: the tests that need real engines will be skipped"; fi

test: prepare ## all tests, with the race detector
	$(GO) test -race -timeout 40m $(TESTFLAGS) ./...

lint: ## gofmt, vet, staticcheck
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not formatted:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

bench: prepare ## speed, and its ratios to peers
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) run ./bench

soak: prepare ## SIGKILL at ROUNDS random moments of an apply, from SEED on
	$(GO) test -count 1 -timeout 0 -run '^TestSoak$$' -v ./internal/run -soak.rounds=$(ROUNDS) -soak.seed=$(SEED)

spec: ## the generated part of spec.md
	$(GO) generate ./internal/docs

cross: ## it builds for linux, darwin and windows, its tests too
	@for target in linux/arm64 darwin/arm64 windows/amd64; do echo $$target; \
		export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; \
		$(GO) build -o /dev/null ./cmd/swarmscript && $(GO) vet ./... || exit 1; done

demo: prepare ## applies examples/one-engine to an engine of its own, and again, and takes it away
	$(GO) run ./internal/testengine/demo
