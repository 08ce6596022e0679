# `make` lists what can be made. Everything needed is pinned (go.mod, tools/go.mod, tools/lint/go.mod, lock files) and
# fetched on first use from the Go proxy, npm and PyPI.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
BUF     := $(GO) tool -modfile=tools/go.mod buf
GOLANGCI := $(GO) tool -modfile=tools/lint/go.mod golangci-lint

# Seconds or a count (`100x`) for each fuzz target, and for each benchmark.
FUZZTIME  ?= 5s
BENCHTIME ?= 1s
# Packages to benchmark, and which benchmarks.
BENCH_PACKAGES ?= ./...
BENCH ?= .

# Which clients of docs/clients.md `make clients` makes, by the names of their blocks; none = all.
CLIENTS ?=

# Which helpers of clients/ `make helpers` checks, by the names of their folders; none = all.
HELPERS ?=

# How many schedules of faults `make chaos` tries, the first one's seed, and how many worlds of the models; how long `make soak` lasts.
CHAOS       ?= 20000
CHAOS_FIRST ?= 1
WORLDS      ?= 1000
SOAK        ?= 10m

# Version of the binary, the image, the chart and the release: the tag, or the commit behind the last one. The binary says its commit, too.
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS  := -s -w -X github.com/parley-gateway/parley/internal/cli.release=$(VERSION) -X github.com/parley-gateway/parley/internal/cli.commit=$(REVISION)

# The packages of the exporter without the program, which links the SDKs of three clouds: minutes to compile.
EXPORT_PACKAGES := . ./internal/cli ./internal/dataset ./internal/frames ./internal/journal ./internal/store ./internal/wire

# Flags of `make hostile`; .bin/hostile -help lists them.
HOSTILE ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run the gateway with a simulated Microsoft 365 tenant
	@tools/coldbuild.sh $(GO) ./cmd/parley
	@$(GO) run ./cmd/parley demo

.PHONY: build
build: ## Build the binary into .bin/: static, with version and revision of git
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="$(LDFLAGS)" -o .bin/parley ./cmd/parley

# The time of an image is that of its commit; every file in it has it.
CREATED  = $(shell git log -1 --format=%ct)

.PHONY: build-export
build-export: ## Build the exporter into .bin/parley-export: static; the first build compiles the SDKs of three clouds
	CGO_ENABLED=0 $(GO) -C export build -trimpath -ldflags="-s -w" -o ../.bin/parley-export ./cmd/parley-export

.PHONY: demo-export
demo-export: build build-export ## Export the last four weeks of the demo's tenant into .cache/demo-export
	@rm -rf .cache/demo-export
	@export/with-demo.sh .bin/parley .bin/parley-export --plaintext --out .cache/demo-export --start $$(date -ud '28 days ago' +%F) --server SERVER

.PHONY: export-check
export-check: build build-export ## Run the commands of docs/nightly.md on a demo, and read the files with DuckDB and pyarrow
	@tools/deps.sh python3-venv
	@export/check.sh

.PHONY: export-spark
export-spark: demo-export ## Read what `make demo-export` wrote with Spark, and compare its counts with the manifest; 700 MB of packages
	@tools/deps.sh python3-venv javac
	@python3 -m venv .cache/export-spark
	@.cache/export-spark/bin/pip install --quiet --disable-pip-version-check --requirement export/requirements-spark.txt
	.cache/export-spark/bin/python export/spark.py .cache/demo-export .bin/parley-export

.PHONY: export-azure
export-azure: ## Test what the exporter needs of Azure Blob Storage with its fake, Azurite; 190 MB of packages
	npm --prefix export/azurite ci --no-audit --no-fund --ignore-scripts
	AZURITE=$(CURDIR)/export/azurite/node_modules/azurite/dist/src/blob/main.js CGO_ENABLED=0 $(GO) -C export test -trimpath -tags azurite -count=1 -run TestAzure ./internal/clouds

.PHONY: image
image: ## Build the image, linux/amd64 and arm64, into .bin/image, an OCI layout (VERSION)
	@tools/ship/image.sh $(CURDIR) $(CURDIR)/.bin/image $(VERSION) $(REVISION) $(CREATED)

.PHONY: image-export
image-export: ## Build the image of the exporter, linux/amd64 and arm64, into .bin/image-export; compiles the SDKs of three clouds twice
	@PROGRAM=parley-export tools/ship/image.sh $(CURDIR) $(CURDIR)/.bin/image-export $(VERSION) $(REVISION) $(CREATED)

.PHONY: image-check
image-check: image ## Build the image twice, compare, and run its demo in an empty root
	@tools/deps.sh skopeo umoci jq curl
	@tools/ship/image-check.sh .bin/image $(VERSION) $(REVISION) $(CREATED)

.PHONY: measure
measure: build image ## Print what the image takes, and how long a gateway takes from its start until it is ready
	@tools/deps.sh skopeo jq
	@tools/ship/measure.sh .bin/parley .bin/image $(VERSION)

# The version of a chart is a semantic one; a commit without a tag is a pre-release of nothing.
CHART_VERSION = $(if $(filter v%,$(VERSION)),$(VERSION:v%=%),0.0.0-g$(VERSION))

.PHONY: chart
chart: ## Package the Helm chart into .bin/ with VERSION
	@tools/deps.sh python3-venv
	@mkdir -p .bin
	$$(tools/ship/helm.sh $(CURDIR)/.cache/chart) package deploy/helm/parley --destination .bin --version $(CHART_VERSION) --app-version $(VERSION)

.PHONY: chart-check
chart-check: build ## Check the Helm chart: lint, schemas of Kubernetes, kube-score, and the configuration that it renders
	@tools/deps.sh python3-venv openssl
	@tools/ship/chart-check.sh .bin/parley

.PHONY: alerts-check
alerts-check: ## Check the alerts by promtool; `make test` holds alerts and dashboards against runbooks and metrics
	@tools/deps.sh promtool
	promtool check rules deploy/alerts/parley.rules.yaml
	promtool test rules deploy/alerts/parley.rules_test.yaml deploy/alerts/scraped_test.yaml

.PHONY: alert-values
alert-values: build ## Bring a gateway into the trouble of each alert, and write what it says of itself into deploy/alerts/scraped_test.yaml
	@tools/deps.sh openssl
	@python3 tools/alerts/scrape.py .bin/parley deploy/alerts/parley.rules.yaml deploy/alerts/scraped_test.yaml

.PHONY: release
release: ## Put together everything of the release VERSION in .bin/release; nothing is published
	@tools/deps.sh python3-venv jq openssl
	@tools/ship/release.sh $(VERSION)

.PHONY: test
# A binary with the race detector waits a second before it exits; 80 packages would wait for more than a minute.
test: export GORACE := atexit_sleep_ms=0
test: ## Run all tests, with the race detector but for those of the whole gateway, which `make test-race` runs with it
	@tools/deps.sh gcc git
	$(GO) test -race -shuffle=on -timeout=20m $$($(GO) list ./... | grep -v '/internal/e2e$$')
	$(GO) test -shuffle=on -timeout=20m ./internal/e2e
	$(GO) -C clients/go test -race -shuffle=on -timeout=10m ./...
	$(GO) -C export test -race -shuffle=on -timeout=20m $(EXPORT_PACKAGES)
	$(GO) -C tools test -shuffle=on ./...
	$(GO) -C tools/ship test -shuffle=on ./...

.PHONY: test-race
test-race: export GORACE := atexit_sleep_ms=0
test-race: ## Run the tests of the whole gateway with the race detector
	@tools/deps.sh gcc git
	$(GO) test -race -shuffle=on -timeout=20m ./internal/e2e

# The earlier commit of `make upgrade-check`; none = the newest tag.
BASE ?=

.PHONY: rollout
rollout: build ## Replace gateways behind a balancer under load: no list fails, and every stream is resumed to its exact end
	$(GO) -C clients/go run ./internal/rollout -from $(CURDIR)/.bin/parley -to $(CURDIR)/.bin/parley

.PHONY: upgrade-check
upgrade-check: build ## The same, from the build of an earlier commit to this one (BASE, the newest tag)
	@tools/deps.sh git
	@tools/upgrade-check.sh .bin/parley $(BASE)

.PHONY: test-all
test-all: test test-race test-stores allocs clients handbook test-web ## Run all tests, and those that need more than Go: compilers and interpreters of other languages, and a browser

.PHONY: test-stores
test-stores: ## Test the shared store over redis-server and valkey-server: alone, with TLS, as clusters, and as they fail under replicas
	@tools/deps.sh redis-server python3-venv
	export PATH="$$(tools/valkey.sh $(CURDIR)/.cache/valkey):$$PATH"; \
	$(GO) test -race -count=1 -tags stores -timeout=5m ./internal/redisstore && \
	$(GO) test -race -count=1 -tags stores -timeout=5m -run='^TestStores' .

.PHONY: chaos
chaos: ## Try CHAOS seeded schedules of Graph faults (20000), from seed CHAOS_FIRST on, and WORLDS seeded worlds (1000) of each model
	$(GO) test -count=1 -timeout=60m ./timeline/chaos -chaos.schedules=$(CHAOS) -chaos.first=$(CHAOS_FIRST)
	$(GO) test -count=1 -timeout=60m -run='Model|Incremental' ./timeline -model.worlds=$(WORLDS)

.PHONY: soak
soak: ## Load a gateway over a misbehaving Graph for SOAK (10m) and print what it held and lost
	@mkdir -p .bin
	$(GO) build -o .bin/soak ./bench/soak
	.bin/soak -for $(SOAK)

.PHONY: hostile
hostile: build ## Load a gateway by one hostile caller beside ten honest ones (HOSTILE), and print what these wait for and what it takes
	$(GO) build -o .bin/hostile ./bench/hostile
	.bin/hostile $(HOSTILE)

.PHONY: bench
bench: bench-ratios bench-night bench-go ## Print the ratios to the SDK and the transport and those of a tenant's night, then run all Go benchmarks

.PHONY: bench-go
bench-go: ## Run the Go benchmarks (BENCH_PACKAGES, BENCH, BENCHTIME)
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchmem -benchtime=$(BENCHTIME) -timeout=30m $(BENCH_PACKAGES)

# The module of bench/ratios has a build cache of its own: the SDK that Parley is compared with takes minutes to build, once.
# All that needs the SDK has the build tag `sdk`; vet and lint look at the rest.
BENCH_DIR   := .cache/bench
BENCH_CACHE := $(CURDIR)/$(BENCH_DIR)/go-build
ROUNDS      ?= 7

.PHONY: bench-ratios
bench-ratios: $(BENCH_DIR)/sdk.json $(BENCH_DIR)/parley.json ## Print the table of ratios (ROUNDS); the first run builds the SDK, 5 GB of memory
	cd bench/ratios && GOCACHE=$(BENCH_CACHE) $(GO) build -tags sdk -o ../../$(BENCH_DIR)/ratios .
	$(BENCH_DIR)/ratios -rounds $(ROUNDS) -costs $(BENCH_DIR)

# How many users the night of bench-night has; 50000 take about five minutes.
NIGHT_USERS ?= 5000

# Flags of bench/night: `-only memory`, `-rounds 1` and others.
NIGHT ?=

.PHONY: bench-night
bench-night: build build-export ## Print the ratios of a tenant's night: to Graph's limits in virtual time (NIGHT_USERS), and of gateways as they are deployed (NIGHT)
	@tools/deps.sh redis-server
	$(GO) test -count=1 -timeout=60m -v -run='^TestNight$$' . -night.users=$(NIGHT_USERS)
	$(GO) build -o .bin/night ./bench/night
	.bin/night $(NIGHT)

# What cold builds cost. Remove the files to measure again.
$(BENCH_DIR)/sdk.json:
	@mkdir -p $(BENCH_DIR) && rm -rf $(BENCH_CACHE)
	cd bench/ratios && $(GO) run ./buildcost -out ../../$@ -cache $(BENCH_CACHE) -tags sdk ./sdkonly

$(BENCH_DIR)/parley.json:
	@mkdir -p $(BENCH_DIR) && rm -rf $(BENCH_DIR)/parley-build
	cd bench/ratios && $(GO) run ./buildcost -out ../../$@ -cache ../../$(BENCH_DIR)/parley-build -C ../.. ./cmd/parley
	@rm -rf $(BENCH_DIR)/parley-build

.PHONY: allocs
allocs: ## Check allocations, resident memory and hit ratios, which the race detector changes
	$(GO) test -count=1 -run='Allocations|Resident|HitRatio|Refused|HostileInputs|HostileRecords|HostileReports' ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME
	@tools/fuzz.sh $(FUZZTIME)

.PHONY: check
check: ## Run everything that CI runs
	.ci/run

.PHONY: fmt
fmt: proto-deps ## Format Go and proto files
	$(GOLANGCI) fmt ./...
	cd clients/go && $(GO) tool -modfile=../../tools/lint/go.mod golangci-lint fmt ./...
	cd export && $(GO) tool -modfile=../tools/lint/go.mod golangci-lint fmt ./...
	cd tools && $(GO) tool -modfile=lint/go.mod golangci-lint fmt ./...
	$(BUF) format -w proto
	$(BUF) format -w --config buf.internal.yaml internal

.PHONY: vet
vet: ## Run go vet
	$(GO) vet ./...
	$(GO) -C clients/go vet ./...
	$(GO) -C export vet $(EXPORT_PACKAGES)
	$(GO) -C tools vet ./...
	$(GO) -C tools/ship vet ./...
	$(GO) -C bench/ratios vet ./...

.PHONY: lint
lint: ## Run golangci-lint over all Go code
	$(GOLANGCI) run ./...
	cd clients/go && $(GO) tool -modfile=../../tools/lint/go.mod golangci-lint run ./...
	cd export && $(GO) tool -modfile=../tools/lint/go.mod golangci-lint run $(EXPORT_PACKAGES)
	cd tools && $(GO) tool -modfile=lint/go.mod golangci-lint run ./...
	cd tools/ship && $(GO) tool -modfile=../lint/go.mod golangci-lint run ./...
	cd bench/ratios && $(GO) tool -modfile=../../tools/lint/go.mod golangci-lint run ./...

.PHONY: lint-proto
lint-proto: proto-deps ## Lint the protos and check their format
	$(BUF) lint
	$(BUF) lint --config buf.internal.yaml
	$(BUF) format --diff --exit-code proto
	$(BUF) format --diff --exit-code --config buf.internal.yaml internal

.PHONY: breaking
breaking: proto-deps ## Compare the protos with those of the last release
	@tools/breaking.sh

.PHONY: proto-deps
proto-deps: ## Write the imported protos into .proto-deps/
	@$(GO) -C tools run ./protodeps $(CURDIR)/.proto-deps

.PHONY: generate
generate: proto-deps ## Generate gen/, eventwire/fields.go, docs/model.md, the reference of docs/errors.md, the types of the TypeScript helper and the code of internal protos from the protos
	@tools/generate.sh .cache/generated
	@rm -rf gen && cp -r .cache/generated/gen gen
	@cp -r .cache/generated/internal .
	@$(GO) -C tools run ./modeldoc $(CURDIR)/gen/descriptor/parley-full.binpb $(CURDIR)/docs/model.md
	@$(GO) -C tools run ./fieldnumbers $(CURDIR)/gen/descriptor/parley-full.binpb $(CURDIR)/eventwire/fields.go
	@$(GO) test -count=1 -run='^TestReference$$' ./server/apierror -update >/dev/null
	@$(GO) -C tools run ./openapifix $(CURDIR)/.cache/generated/openapi-parts $(CURDIR)/gen/descriptor/parley-full.binpb \
		../docs/errors.md openapifix/examples.json $(CURDIR)/gen/openapi/openapi.json
	@if command -v npm >/dev/null; then $(MAKE) --silent $(TS_HELPER) && cd clients/typescript && npm run --silent generate; \
	else echo 'clients/typescript/src/api.ts is not generated anew: that needs npm' >&2; fi

.PHONY: openapi-examples
openapi-examples: build ## Ask the simulator for the examples of the OpenAPI document anew; `make generate` puts them in
	@$(GO) -C tools run ./openapiexamples $(CURDIR)/.bin/parley $(CURDIR)/gen/openapi/openapi.json openapifix/examples.json

.PHONY: check-generated
check-generated: proto-deps ## Check that gen/ is what the protos generate
	@tools/generate.sh .cache/generated
	@diff -rq .cache/generated/gen gen || { echo 'gen/ differs from what the protos generate: run `make generate`' >&2; exit 1; }
	@for code in configpb/config.pb.go cursorpb/cursor.pb.go; do \
		diff -q .cache/generated/internal/$$code internal/$$code || { echo 'run `make generate`' >&2; exit 1; }; done
	@$(GO) test -count=1 -run='^TestReference$$' ./server/apierror

.PHONY: openapi-lint
openapi-lint: ## Lint gen/openapi/openapi.json
	@tools/deps.sh node npm
	@tools/openapilint/run.sh

WEB       := web/node_modules/.package-lock.json
TS_HELPER := clients/typescript/node_modules/.package-lock.json

$(WEB): web/package.json web/package-lock.json
	@tools/deps.sh node npm
	cd web && npm ci --silent --no-fund --no-audit

$(TS_HELPER): clients/typescript/package.json clients/typescript/package-lock.json
	cd clients/typescript && npm ci --silent --no-fund --no-audit </dev/null

.PHONY: web
web: $(WEB) ## Build the explorer, web/explorer/site, which the binary holds
	cd web && npx tsc -p explorer && npx vite build explorer --logLevel warn

.PHONY: web-check
web-check: $(WEB) ## Check that web/explorer/site is what its sources build
	cd web && npx tsc -p explorer && npx vite build explorer --logLevel warn --outDir $(CURDIR)/.cache/explorer --emptyOutDir
	@diff -r .cache/explorer web/explorer/site || { echo 'web/explorer/site differs from what its sources build: run `make web`' >&2; exit 1; }

.PHONY: helpers
helpers: ## Build and check the client helpers, and play the conformance cases against them (HELPERS, all)
	@for check in $(or $(HELPERS:%=clients/%/check.sh),clients/*/check.sh); do echo "$$check"; "$$check"; done

# The tests of /docs run the grpcurl command that the page gives.
.bin/grpcurl: tools/go.mod
	$(GO) build -modfile=tools/go.mod -o $@ github.com/fullstorydev/grpcurl/cmd/grpcurl

.PHONY: test-web
test-web: build .bin/grpcurl $(WEB) ## Try /docs and /explorer of a demo in Chromium, at 1440 and 390 px
	@tools/deps.sh chromium curl
	cd web && npx tsc -p . && npx playwright test --project=desktop --project=phone

.PHONY: handbook
handbook: build .bin/grpcurl ## Run the commands of the handbook as its pages print them
	@tools/deps.sh curl jq
	$(GO) -C tools run ./handbookcheck $(CURDIR)/.bin/parley $(CURDIR) README.md docs/api.md docs/timeline.md docs/graphsim.md

.PHONY: pictures
pictures: build $(WEB) ## Take the handbook's pictures of /docs and /explorer anew, docs/pictures
	@tools/deps.sh chromium pngquant
	cd web && npx playwright test --project=pictures
	pngquant --force --ext .png --strip --quality 60-95 docs/pictures/*.png

.PHONY: panels
panels: build ## Draw the dashboards from a gateway under load and a real Prometheus, docs/pictures/dashboard-*.png
	@tools/deps.sh python3-venv promtool openssl pngquant
	@[[ -x .cache/panels/bin/python ]] || python3 -m venv .cache/panels
	@.cache/panels/bin/pip install --quiet --disable-pip-version-check --requirement tools/panels/requirements.txt
	.cache/panels/bin/python tools/panels/panels.py .bin/parley deploy/grafana docs/pictures
	pngquant --force --ext .png --strip --quality 60-95 docs/pictures/dashboard-*.png

.PHONY: clients
clients: build $(if $(CLIENTS),,helpers) ## Check the helpers; make and run the clients of docs/clients.md as it prints them (CLIENTS, all)
	@tools/deps.sh node npm python3-venv javac mvn cargo protoc php php-protobuf ruby ruby-protobuf strings
	@$(GO) -C tools run ./clientcheck $(CURDIR)/.bin/parley $(CURDIR)/docs/clients.md $(CLIENTS)

.PHONY: deps
deps: ## Install the Debian packages that the targets need and that are missing
	@tools/deps.sh gcc git node npm python3-venv curl javac mvn cargo protoc php php-protobuf ruby ruby-protobuf strings chromium

.PHONY: clean
clean: ## Remove what was built and cached here
	rm -rf .bin .cache .proto-deps
