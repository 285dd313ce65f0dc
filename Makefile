# Everything runs with Go alone, but for `integration`, which needs the tools that .ci/run installs.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CLI     := github.com/filelessd/filelessd/internal/cli
LDFLAGS := -s -w -X $(CLI).version=$(VERSION) -X $(CLI).commit=$(COMMIT)

# The race detector needs a C compiler. Without one the tests run all the same, and say so.
RACE := $(if $(shell command -v $${CC:-cc} gcc clang 2>/dev/null),-race)

RECEIVERS := ./otelcol github.com/versity/versitygw/cmd/versitygw

.PHONY: demo test integration lint build bench generate soak

demo: build ## Play the scenario: a simulated Falco, the daemon, its reports.
	./bin/filelessd demo --once

build: ## One static binary, bin/filelessd.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/filelessd ./cmd/filelessd

test: ## All tests, with the race detector.
	$(if $(RACE),,@echo 'no C compiler: testing without the race detector')
	go vet ./...
	go test $(RACE) ./...

integration: ## Tests against real receivers and readers, which must be installed.
	@# Receivers that Debian does not have. They are compiled first: no test should wait for that.
	go build -C internal/tools/receivers $(RECEIVERS)
	go build -C internal/tools/receivers/loki -o /dev/null github.com/grafana/loki/v3/cmd/loki
	FILELESSD_INTEGRATION=1 go test -count=1 -tags integration -run 'Integration' ./...
	cd internal/tools/readers && FILELESSD_INTEGRATION=1 go test -count=1 ./...

lint: ## Static checks; compiles its tools the first time.
	go tool -modfile=internal/tools/go.mod golangci-lint run ./...
	cd internal/tools && go tool golangci-lint run -c ../../.golangci.yml ./...
	cd internal/tools/readers && go tool -modfile=../go.mod golangci-lint run -c ../../../.golangci.yml ./...
	cd internal/tools/receivers && go tool -modfile=../go.mod golangci-lint run -c ../../../.golangci.yml ./...

generate: ## Everything that is generated: protocol, reference configuration.
	go generate ./...

BENCH := go test -run '^$$' -benchmem

bench: build ## What the README quotes, one after another; then every other benchmark.
	@grep -m1 'model name' /proc/cpuinfo; uname -r; nproc
	@stat -c 'binary: %s bytes' bin/filelessd
	$(BENCH) -bench 'Posters/^16$$' -benchtime 30000x ./internal/cli
	$(BENCH) -bench 'Posters/^1$$' -benchtime 10000x ./internal/cli
	$(BENCH) -bench AlertToWebhook -benchtime 1500x ./internal/cli
	$(BENCH) -bench 'Idle|Demo' -benchtime 10x ./internal/cli
	$(BENCH) -bench Intake -benchtime 20x ./internal/source
	$(BENCH) -bench Miss ./internal/match
	$(BENCH) -bench . -skip 'Posters|AlertToWebhook|^BenchmarkIdle$$|Demo|Intake|Miss' ./...

soak: ## The long suites: crashes, fuzzing.
	go test -count=1 -timeout 60m -tags soak ./...
