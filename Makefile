# The tasks of this repository. Run `make` without a target to list them.

GO ?= go
TOOL = $(GO) tool -modfile=tools.mod
ACCEPTANCE = $(GO) test -tags acceptance -timeout 40m ./cmd/acceptance
INTEGRATIONS = $(GO) test -tags acceptance,integrations -timeout 40m ./cmd/acceptance
# Go modules of their own, for libraries that the program must not depend on.
MODULES = adapters/integrations/go
# The race detector for everything except SQLite: it is C code that was translated to Go, which
# is many times slower with it.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false
GENERATED = api/api.gen.go api/openapi.gen.yaml api/client/client.gen.go docs/rules.md docs/configuration.md

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Where "make run" listens and keeps its data: make run LISTEN=127.0.0.1:9000
LISTEN ?= 127.0.0.1:8080
DATA ?= ./data

.PHONY: run
run: ## Start the service for development (LISTEN=127.0.0.1:8080, DATA=./data)
	@echo "downloading and compiling; the first time this takes about two minutes on 2 cores"
	@$(GO) mod download
	$(GO) run ./cmd/clientele serve --dev --listen $(LISTEN) --data $(DATA)

.PHONY: build
build: ## Build the program dist/clientele
	@$(GO) mod download
	CGO_ENABLED=0 $(GO) build -trimpath -o dist/clientele ./cmd/clientele

.PHONY: release
release: ## Build the release for every target into dist/release, with the npm package, the jars, checksums and bills of materials
	@deploy/release

.PHONY: test
test: ## Run all checks: generated code, lint, tests with the race detector, contract, clients, authorization servers
	@$(MAKE) --no-print-directory machine
	@echo "[1/7] downloading the Go modules of the program, of the tools and of the integrations (a minute or two, the first time)"
	@$(GO) mod download && $(GO) mod download -modfile=tools.mod
	@for module in $(MODULES); do (cd $$module && $(GO) mod download) || exit 1; done
	@echo "[2/7] checking that generated code is fresh and go.mod tidy (compiles the generator, the first time)"
	@$(MAKE) --no-print-directory fresh tidy
	@echo "[3/7] checking that openapi.yaml is compatible with the last release (compiles oasdiff, the first time)"
	@$(MAKE) --no-print-directory compatible
	@echo "[4/7] go vet and the linters (compiles golangci-lint, the first time: some minutes on 2 cores)"
	@$(MAKE) --no-print-directory lint
	@echo "[5/7] all tests with the race detector, one line per package as it finishes"
	@echo "      (compiles everything for the race detector before the first line: about eight minutes on 2 cores, the first time)"
	$(GO) test $(RACE) -shuffle=on ./...
	$(GO) test -shuffle=on -tags acceptance ./application # the use cases on SQLite and PostgreSQL, too
	@echo "[6/7] the packages for authorization servers in Go and for Node.js"
	@for module in $(MODULES); do (cd $$module && $(GO) test -race -shuffle=on ./...) || exit 1; done
	@$(MAKE) --no-print-directory build
	cd adapters/integrations/node && npm ci --ignore-scripts --no-audit --no-fund --silent && CLIENTELE_BINARY=$(CURDIR)/dist/clientele npm test --silent
	@echo "[7/7] acceptance: Schemathesis, generated clients in Go, TypeScript, Python and Java on both stores, authorization servers"
	@echo "      (node-oidc-provider, zitadel/oidc, fosite) and relying parties (openid-client, oidcrp, pyoidc); some minutes"
	$(ACCEPTANCE) -v
	@echo "all checks passed"

.PHONY: integrations
integrations: ## Test Spring Authorization Server, Ory Hydra and Keycloak on the service (downloads and builds them)
	@$(MAKE) --no-print-directory integrations-machine
	@echo "[1/2] the Maven artifacts with their tests (downloads Spring Boot and Keycloak, the first time)"
	@$(MAKE) --no-print-directory build
	CLIENTELE_BINARY=$(CURDIR)/dist/clientele mvn -B -q -f adapters/integrations/spring verify
	CLIENTELE_BINARY=$(CURDIR)/dist/clientele mvn -B -q -f adapters/integrations/keycloak/authenticator verify
	@echo "[2/2] the conformance script against each server (builds Hydra and prepares Keycloak, the first time: some minutes)"
	$(INTEGRATIONS) -count=1 -v -run 'TestServer(Spring|Hydra|Keycloak)|TestTarget|TestJars'
	@echo "all integrations passed"

.PHONY: machine
machine: ## List the system packages that the tests need and the machine does not have
	@missing=; need() { command -v $$1 >/dev/null || missing="$$missing $$2"; }; \
	atLeast() { [ "$$("$$@" 2>&1 | sed -n '1s/^[a-z ]*\([0-9]*\).*/\1/p')" -ge "$$version" ] 2>/dev/null || missing="$$missing $$package"; }; \
	need cc gcc; need curl curl; need git git; need npm npm; need mvn maven; need xz xz-utils; need flock util-linux; \
	version=20 package=nodejs; atLeast node --version; version=17 package=default-jdk-headless; atLeast javac -version; \
	need chromium chromium; [ -x /usr/sbin/pgbouncer ] || need pgbouncer pgbouncer; python3 -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	[ -n "$$TEST_DATABASE_URL$$PG_BIN" ] || command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	[ -z "$$missing" ] || { echo "the tests need packages that are missing on this machine, or older than needed (nodejs 20, JDK 17); on Debian: apt-get install$$missing" >&2; exit 1; }

.PHONY: integrations-machine
integrations-machine: ## List the system packages that "make integrations" needs and the machine does not have
	@missing=; need() { command -v $$1 >/dev/null || missing="$$missing $$2"; }; \
	need cc gcc; need curl curl; need git git; need mvn maven; need flock util-linux; \
	[ "$$(javac -version 2>&1 | sed -n '1s/^[a-z ]*\([0-9]*\).*/\1/p')" -ge 17 ] 2>/dev/null || missing="$$missing default-jdk-headless"; \
	[ -z "$$missing" ] || { echo "the integrations need packages that are missing on this machine, or older than needed (JDK 17); on Debian: apt-get install$$missing" >&2; exit 1; }

.PHONY: generate
generate: ## Regenerate code from openapi.yaml
	$(GO) generate ./...

.PHONY: fresh
fresh: ## Fail if generated code is stale (and regenerate it)
	@before=$$(cksum $(GENERATED)); $(GO) generate ./... || exit 1; \
	[ "$$before" = "$$(cksum $(GENERATED))" ] || { echo "generated code was stale; it is up to date now, commit it" >&2; exit 1; }

.PHONY: compatible
compatible: ## Fail if openapi.yaml breaks compatibility with the last released version
	$(TOOL) oasdiff breaking api/released.yaml openapi.yaml --fail-on ERR

.PHONY: contract
contract: ## Test the service against openapi.yaml for ten minutes on each store, with Schemathesis
	CONTRACT_SECONDS=600 $(ACCEPTANCE) -count=1 -v -run Schemathesis

.PHONY: clients
clients: ## Generate clients in Go, TypeScript, Python and Java, and run the example program of each
	$(ACCEPTANCE) -count=1 -v -run 'Go|TypeScript|Python|Java'

.PHONY: tidy
tidy: ## Fail if a go.mod or go.sum is not tidy
	$(GO) mod tidy -diff
	@for module in $(MODULES); do (cd $$module && $(GO) mod tidy -diff) || exit 1; done

.PHONY: lint
lint: ## Run go vet and the linters
	$(GO) vet -tags acceptance,integrations ./...
	$(TOOL) golangci-lint run ./...
	@for module in $(MODULES); do echo "$$module"; (cd $$module && $(GO) vet ./... && \
	$(GO) tool -modfile=$(CURDIR)/tools.mod golangci-lint run ./...) || exit 1; done

SWAGGER_UI = 5.35.0

.PHONY: swagger-ui
swagger-ui: ## Download the Swagger UI that the documentation page embeds
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && cd "$$dir" && npm pack --silent swagger-ui-dist@$(SWAGGER_UI) >/dev/null && \
	tar xzf swagger-ui-dist-$(SWAGGER_UI).tgz && cd package && gzip -9n swagger-ui-bundle.js swagger-ui.css && \
	cp swagger-ui-bundle.js.gz swagger-ui.css.gz LICENSE NOTICE "$(CURDIR)/adapters/rest/docs/swagger-ui/"

.PHONY: fuzz
fuzz: ## Fuzz each parser for a minute
	$(GO) test ./domain -run '^$$' -fuzz FuzzRedirectURI -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./domain -run '^$$' -fuzz FuzzEndpoint -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./domain -run '^$$' -fuzz FuzzName -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./domain -run '^$$' -fuzz FuzzTLSSubject -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/jwks -run '^$$' -fuzz FuzzKeySet -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/jwks -run '^$$' -fuzz FuzzSectorIdentifier -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/jwks -run '^$$' -fuzz FuzzClientDocument -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/tokens -run '^$$' -fuzz FuzzToken -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/tokens -run '^$$' -fuzz FuzzClaimPath -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/tokens -run '^$$' -fuzz FuzzIssuerKeys -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/tokens -run '^$$' -fuzz FuzzIssuersFile -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/servermetadata -run '^$$' -fuzz FuzzParse -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/jwks -run '^$$' -fuzz FuzzCertificate -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/credentials -run '^$$' -fuzz FuzzAssertion -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/credentials -run '^$$' -fuzz FuzzReadCertificate -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/statements -run '^$$' -fuzz FuzzStatement -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/secrethash -run '^$$' -fuzz FuzzParse -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/clientfile -run '^$$' -fuzz FuzzRead -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/clientfile/importer -run '^$$' -fuzz FuzzRead -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/rest -run '^$$' -fuzz FuzzBody -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/internal/document -run '^$$' -fuzz FuzzDecode -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/internal/metadata/self -run '^$$' -fuzz FuzzRegistration -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/internal/jwk -run '^$$' -fuzz FuzzPublicSet -fuzztime 1m -fuzzminimizetime 5s
	$(GO) test ./adapters/registrationfile -run '^$$' -fuzz FuzzParse -fuzztime 1m -fuzzminimizetime 5s

.PHONY: bench
bench: ## Compare updates and reads over HTTP with the plain SQL statements in pgbench
	$(GO) run ./cmd/clientele-bench

.PHONY: torture
torture: ## Inject faults into the service under load, and compare the acknowledged writes with the stored ones
	$(GO) run ./cmd/clientele-torture
