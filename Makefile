# Sallyport: `make run` shows it, `make test` proves it, `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Debian packages: what is linked and run, and what only tests, benchmarks and image builds use.
BUILD_PACKAGES := libcurl4-openssl-dev libhiredis-dev libmicrohttpd-dev libssl-dev libyaml-dev libsimdjson-dev zlib1g-dev
RUN_PACKAGES   := haproxy redis-server fping curl ca-certificates iptables iproute2
IMAGE_PACKAGES := binutils
TEST_PACKAGES  := tcpdump wireguard-tools wrk prometheus python3 procps conntrack docker.io git wget openssl python3-venv shellcheck nghttp2-server wireguard-go tinyproxy-bin chromium fonts-dejavu-core zsh fish groff-base
DEBIAN_PACKAGES := debhelper lintian mmdebstrap

RUFF := .build/python/bin/python -m ruff
PYTHON_FILES := Tests Sources/Dashboard/make-map
OXLINT := .build/python/bin/oxlint --config Sources/Dashboard/.oxlintrc.json --deny-warnings
OXFMT := .build/python/bin/oxfmt --config Sources/Dashboard/.oxfmtrc.json
# Words are split on purpose (SC2046); busybox is no dash (SC2187), and its read has a -t (SC3045).
SHELLCHECK := --severity=warning --exclude=SC2046,SC2187,SC3045

# The shapes of the dashboard's map, made from a Debian package; without them the map shows marks alone.
MAP := .build/dashboard/world.json

.PHONY: controller-image deb try-deb clients dashboard figures try-compose try-kubernetes release help install install-test build images run stop test quick check format abuse fuzz bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' | column -t -s '|'

install: ## install the Debian packages for running (as root; else list them)
	@containers/install $(BUILD_PACKAGES) $(RUN_PACKAGES) $(IMAGE_PACKAGES)

install-test:
	@containers/install $(BUILD_PACKAGES) $(RUN_PACKAGES) $(IMAGE_PACKAGES) $(TEST_PACKAGES)
	@python3 -m Tests.Harness.environment || true

build: $(MAP) ## build the programs
	@swift build -c release --product sallyport
	@swift build -c release --product lab

$(MAP): Sources/Dashboard/make-map
	@Sources/Dashboard/make-map $@

images: .build/images/exit.tar .build/images/lab.tar ## build the containers' images
	@:

.build/images/exit.tar: .build/exit-proxy

.build/exit-proxy: containers/exit/build $(wildcard Sources/ExitProxy/*.swift Sources/exit-proxy/*.swift Sources/CLinux/*)
	@containers/exit/build $@

.build/images/%.tar: containers/rootfs $(wildcard containers/exit/* containers/lab/*)
	@mkdir -p $(@D)
	@containers/rootfs containers/$* $@

# The controller is linked with Swift's runtime in it, which needs a build folder of its own.
controller-image: .build/images/exit.tar $(MAP) ## build the image for containers/compose.yaml
	@swift build -c release --static-swift-stdlib --scratch-path .build/static --product sallyport
	@containers/rootfs containers/controller .build/images/controller.tar

deb: .build/images/exit.tar $(MAP) ## build the Debian package, .build/deb/sallyport_*.deb
	@containers/install $(DEBIAN_PACKAGES)
	@swift build -c release --static-swift-stdlib --scratch-path .build/static --product sallyport
	@containers/debian/build .build/deb

try-deb: install-test images deb ## try the package in a fresh Debian 12 with systemd: install, reboot, upgrade, remove, purge (as root)
	@swift build
	@python3 -m Tests.Acceptance.package

clients: install-test images $(MAP) ## try real clients on every entry of the proxies
	@swift build
	@containers/engine run python3 -m Tests.Acceptance.clients

dashboard: install-test images $(MAP) ## try the dashboard in a real Chromium (PICTURES=folder keeps pictures)
	@swift build
	@containers/engine run python3 -m Tests.Acceptance.dashboard $(if $(PICTURES),--pictures $(abspath $(PICTURES)))

try-compose: install-test images controller-image ## try the services of containers/compose.yaml, started by docker run
	@swift build
	@containers/engine run python3 -m Tests.Acceptance.compose

try-kubernetes: install-test images ## try what containers/kubernetes relies on, without a cluster
	@swift build
	@python3 -m Tests.Kubernetes.endpoint
	@containers/engine run python3 -m Tests.Kubernetes.takeover

run: install ## build everything, open a first exit, stay in the foreground
	@echo "building (some minutes the first time)"
	@time=$$SECONDS; $(MAKE) --no-print-directory build images; echo "built in $$((SECONDS - time)) s"
	@exec containers/quickstart

stop: ## stop and remove everything that `make run` started
	@containers/teardown

test: install-test $(MAP) ## run every test, on real parts (about half an hour)
	@$(MAKE) --no-print-directory images
	@containers/engine run Tests/Acceptance/test

quick: $(MAP) ## run the tests that need no other program (under two minutes)
	@Tests/Acceptance/test quick

check: install-test $(MAP) ## lint of Swift, JavaScript, CSS, Python and shell, warnings as errors, no package dependency, links of the pages
	@swift format lint --strict --recursive --parallel Package.swift Sources Tests
	@! grep -nE '\.package\((url|path|id|name)' Package.swift || { echo "Package.swift names a package: this project has none"; exit 1; }
	@$(RUFF) check --quiet $(PYTHON_FILES) && $(RUFF) format --check --quiet $(PYTHON_FILES) || { echo "Python: see above, or \`make format\`"; exit 1; }
	@$(OXLINT) Sources/Dashboard/Assets && $(OXFMT) --check Sources/Dashboard/Assets >/dev/null || { echo "JavaScript, CSS: see above, or \`make format\`"; exit 1; }
	@shellcheck $(SHELLCHECK) $$(grep -rlE --exclude-dir=config '^#!/bin/(bash|sh|busybox sh)' .ci containers Tests)
	@(cd haproxy && haproxy -c -q -f example.cfg)
	@for file in haproxy/lua/*.lua; do grep -q "^ours $$file " containers/controller/files || { echo "containers/controller/files lacks $$file"; exit 1; }; done
	@cd containers/monitoring && promtool check config --syntax-only prometheus.yaml >/dev/null && promtool check rules rules.yaml >/dev/null
	@cd containers/monitoring && promtool test rules rules-test.yaml
	@python3 -m Tests.Documents
	@python3 -m Tests.Networks --check
	@python3 -m Tests.Kubernetes
	@swift build --build-tests --quiet
	@echo "check: all well"

format: ## format the Swift, JavaScript, CSS and Python code
	@swift format --in-place --recursive --parallel Package.swift Sources Tests
	@$(RUFF) check --quiet --fix $(PYTHON_FILES); $(RUFF) format --quiet $(PYTHON_FILES)
	@$(OXFMT) Sources/Dashboard/Assets >/dev/null

release: install-test ## build package, images, completions, SBOM and checksums (VERSION=number checks it, TWICE=1 builds all twice)
	@containers/release $(if $(TWICE),--twice) $(VERSION)

abuse: install-test ## send 20,000 hostile requests to the gateway (ABUSE=count SEED=number for others)
	@SALLYPORT_ABUSE=$${ABUSE:-20000} SALLYPORT_ABUSE_SEED=$${SEED:-1} swift test --disable-xctest --filter AbuseTests

fuzz: ## fuzz the parsers of the exits' proxy for ten minutes on one core (FUZZ_SECONDS=number)
	@Tests/Fuzzing/run $${FUZZ_SECONDS:-600}

bench: install-test ## run the benchmarks, on the lab (DASHBOARD_SECONDS=600 for the dashboard's figures)
	@$(MAKE) --no-print-directory build images
	@swift build -c release --product CatalogBench
	@containers/engine run python3 -m Tests.Benchmarks.exits
	@containers/engine run python3 -m Tests.Benchmarks.failover
	@for name in fleet streams api held; do python3 -m Tests.Benchmarks.$$name; done
	@python3 -m Tests.Benchmarks.dashboard $${DASHBOARD_SECONDS:-60}
	@containers/engine run python3 -m Tests.Benchmarks.proxies
	@containers/engine run python3 -m Tests.Benchmarks.exit_proxy
	@containers/engine run python3 -m Tests.Benchmarks.exit_status

figures: ## print figures of the code's structure (REVISIONS="v1 ." for several)
	@python3 -m Tests.Figures $(REVISIONS)

clean: ## remove build results
	@rm -rf .build
