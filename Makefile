# Everything runs with Go alone, but for `integration`, which needs the tools that .ci/run installs.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CLI     := github.com/filelessd/filelessd/internal/cli
LDFLAGS := -s -w -X $(CLI).version=$(VERSION) -X $(CLI).commit=$(COMMIT)

# The race detector needs a C compiler. Without one the tests run all the same, and say so.
RACE := $(if $(shell command -v $${CC:-cc} gcc clang 2>/dev/null),-race)

RECEIVERS := ./otelcol github.com/versity/versitygw/cmd/versitygw

.PHONY: demo test integration lint build image dist bench bench-sinks generate soak fuzz

demo: build ## Play the scenario: a simulated Falco, the daemon, its reports.
	./bin/filelessd demo --once

build: ## One static binary, bin/filelessd.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/filelessd ./cmd/filelessd

dist: ## A release, for amd64 and arm64: tar.gz, deb, rpm, SBOMs and checksums, in dist/.
	go run -C internal/tools/dist . -root ../../..

IMAGE ?= ghcr.io/filelessd/filelessd

image: ## A container image of this tree; needs Docker.
	docker build -f examples/container/Dockerfile --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) \
		-t $(IMAGE):$(VERSION) -t $(IMAGE) .

test: ## All tests, with the race detector.
	$(if $(RACE),,@echo 'no C compiler: testing without the race detector')
	go vet ./...
	go test $(RACE) ./...

integration: ## Tests against real receivers and readers, which must be installed.
	@# Receivers that Debian does not have. They are compiled first: no test should wait for that.
	go build -C internal/tools/receivers $(RECEIVERS)
	go build -C internal/tools/receivers/loki -o /dev/null github.com/grafana/loki/v3/cmd/loki
	@# The first run on a machine makes a Debian too (internal/testroot), hence the time.
	FILELESSD_INTEGRATION=1 go test -count=1 -timeout 20m -tags integration -run 'Integration' ./...
	cd internal/tools/readers && FILELESSD_INTEGRATION=1 go test -count=1 ./...
	cd internal/tools/dist && go test -count=1 ./...
	cd internal/tools/charts && go test -count=1 ./...

lint: ## Static checks; compiles its tools the first time.
	go tool -modfile=internal/tools/go.mod golangci-lint run ./...
	cd internal/tools && go tool golangci-lint run -c ../../.golangci.yml ./...
	cd internal/tools/readers && go tool -modfile=../go.mod golangci-lint run -c ../../../.golangci.yml ./...
	cd internal/tools/dist && go tool -modfile=../go.mod golangci-lint run -c ../../../.golangci.yml ./...
	cd internal/tools/receivers && go tool -modfile=../go.mod golangci-lint run -c ../../../.golangci.yml ./...
	cd internal/tools/charts && go tool -modfile=../go.mod golangci-lint run -c ../../../.golangci.yml ./...

generate: ## Everything that is generated: protocol, reference configuration, manual pages, completions, page of metrics, manifests.
	go generate ./...
	cd internal/tools/charts && go generate ./...

BENCH := go test -run '^$$' -benchmem

bench: build ## What the README quotes, one after another; then every other benchmark.
	@grep -m1 'model name' /proc/cpuinfo; uname -r; nproc
	@stat -c 'binary: %s bytes' bin/filelessd
	go run ./internal/bench -grouping
	$(BENCH) -bench 'Posters/^16$$' -benchtime 30000x ./internal/cli
	$(BENCH) -bench 'Posters/^1$$' -benchtime 10000x ./internal/cli
	$(BENCH) -bench AlertToWebhook -benchtime 1500x ./internal/cli
	$(BENCH) -bench 'Idle|Demo' -benchtime 10x ./internal/cli
	$(BENCH) -bench Intake -benchtime 20x ./internal/source
	$(BENCH) -bench Miss ./internal/match
	@$(MAKE) --no-print-directory bench-sinks
	$(BENCH) -bench . -skip 'Posters|AlertToWebhook|^BenchmarkIdle$$|Demo|Intake|Miss|^BenchmarkDeliver$$' ./...

# An op of a benchmark without a measure of its own is one report.
bench-sinks: ## Reports a second of each sink, alone and in batches, to a receiver in the same process.
	@go test -p 1 -run '^$$' -bench '^BenchmarkDeliver$$' $(SINKBENCH) ./internal/sinks/... | awk ' \
		/^pkg:/ { n = split($$2, path, "/"); kind = path[n] } \
		/^BenchmarkDeliver/ { rate = 0; \
			for (i = 3; i < NF; i += 2) { \
				if ($$(i+1) == "reports/s") rate = $$i; \
				if ($$(i+1) == "ns/report") rate = 1e9 / $$i; \
				if ($$(i+1) == "ns/op") each = 1e9 / $$i } \
			sub(/-[0-9]+$$/, "", $$1); sub(/^BenchmarkDeliver\/?/, "", $$1); \
			printf "%-16s %-20s %8d reports/s\n", kind, $$1, rate ? rate : each } \
		/^(---|FAIL|panic)/ { bad = 1; print } \
		END { exit bad }'

soak: ## The long suites: crashes, faults of disks; then fuzz.
	go test -count=1 -timeout 60m -tags soak ./...
	$(MAKE) fuzz

FUZZ     ?= ./...
FUZZTIME ?= 20s

fuzz: ## Each fuzz target of the packages $(FUZZ) for $(FUZZTIME).
	@go test -list '^Fuzz' $(FUZZ) | awk '/^Fuzz/ {f[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print $$2, f[i]; n = 0}' | \
	while read pkg target; do \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg </dev/null || exit 1; \
	done
