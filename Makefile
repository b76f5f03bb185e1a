# The front door. `make demo` and `make test` do all the set-up on a fresh Debian 12.
BUILD ?= build
BIN = $(BUILD)/src/grpcroute
VERSION := $(shell sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)

PREFIX ?= /usr/local
override PREFIX := $(abspath $(PREFIX))

# For the cluster of the current kubectl context.
export IMAGE ?= grpcroute:$(VERSION)
export CERTS ?= certs
export DOCKER ?= docker
export TAIL ?= 100
export FOLLOW # =1 goes on until Ctrl-C
CLUSTER = deploy/cluster.sh

.PHONY: help demo test test-slow binary bench bench-peers bench-servers bench-scale proxy-report install dist deb test-packages test-foreign nightly format lint coverage mutants clean-build proto certs apply-certs build load \
	deploy-envoy deploy-traefik deploy-embedded deploy-gateway all-envoy all-traefik all-embedded all-gateway \
	logs-server-v1 logs-server-v2 logs-agent-v1-1 logs-agent-v1-2 logs-agent-v2-1 logs-agent-v2-2 \
	logs-agents-v1 logs-agents-v2 logs-envoy logs-traefik logs-proxy verify sticky-test clean test-kind

help:
	@echo 'On this machine:'
	@echo '  make demo          set up, build, and show the whole topology'
	@echo '  make test          set up, build, and test everything'
	@echo '  make test-slow     behind it: the tests that take minutes'
	@echo '  make binary        build $(BIN) (the packages must be there: see make demo)'
	@echo '  make bench         CPU per round trip of proxy and server beside Envoy and nghttpx'
	@echo '  make bench-peers   half an hour beside all five, HAProxy, nginx, nghttpx, Envoy, Traefik, by an independent driver'
	@echo '  make bench-servers grpcroute server beside grpc-go, grpcio and an echo on nghttp2'
	@echo '  make bench-scale   15000 connections through one proxy: memory, a restart, a ping beside quiet streams'
	@echo '  make proxy-report  what proxies do to long-lived streams, measured: docs/what-proxies-do.md'
	@echo '  make test-kind     all of the below in a real kind cluster that it brings up and ends'
	@echo '  make proto         generate the protobuf code (part of every build)'
	@echo '  make install       install program, manual pages and completions under PREFIX (default /usr/local)'
	@echo '  make deb           a Debian package and its bill of materials, in dist/; make dist: the source'
	@echo '  make lint          the form of C, Python and shell; make format mends it'
	@echo '  make test-packages make both, and install and run them in fresh roots of Debian 12 and 13'
	@echo '  make coverage      what all tests together run of src/, by folder; make mutants: planted faults that a test must see'
	@echo '  make nightly       both, the packages, and the unit tests on i386 and s390x (big-endian)'
	@echo '  make clean-build   remove the build folders'
	@echo 'In the cluster of the current kubectl context:'
	@echo '  make all-envoy     certs, build, load and deploy with Envoy; also all-traefik, all-embedded, all-gateway'
	@echo '  make certs         make a CA and a server certificate in $(CERTS)/'
	@echo '  make apply-certs   put them into the cluster'
	@echo '  make build         build the image $(IMAGE)'
	@echo '  make load          load it into kind, minikube, k3d or the containerd of this machine'
	@echo '  make deploy-envoy  deploy and wait until everything is ready; also deploy-traefik, deploy-embedded, deploy-gateway'
	@echo '  make verify        judge the deployed agents and the proxy: routing; also sticky-test'
	@echo '  make logs-proxy    logs; also logs-agents-v1, logs-agent-v1-1, logs-server-v1, ... (TAIL=100, FOLLOW=1)'
	@echo '  make clean         delete the namespace and everything in it; asks first, CONFIRM=1 does not'

# ---- this machine ------------------------------------------------------------------------------

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --buildtype=release -Dprefix=$(PREFIX) > /dev/null

binary: $(BUILD)/build.ninja
	@echo '==> building $(BIN)' >&2
	@meson compile -C $(BUILD) > $(BUILD)/compile.log 2>&1 || { cat $(BUILD)/compile.log; exit 1; }

demo:
	@tests/tool/setup.sh build
	@$(MAKE) --no-print-directory binary
	@$(BIN) demo $(DEMO_ARGS)

test:
	@tests/tool/setup.sh test
	@tests/tool/test.sh

test-slow:
	@tests/tool/slow.sh

bench:
	@tests/tool/setup.sh test
	@$(MAKE) --no-print-directory binary
	@GRPCROUTE_BIN=$(BIN) .cache/venv/bin/python tests/bench/peers.py --peers nghttpx,envoy,floor,grpc-go \
		--shapes 50x1,10x50,3000idle --rounds 3 $(BENCH_ARGS)

bench-peers:
	@tests/tool/setup.sh test
	@$(MAKE) --no-print-directory binary
	@GRPCROUTE_BIN=$(BIN) .cache/venv/bin/python tests/bench/peers.py $(BENCH_ARGS)

bench-servers:
	@tests/tool/setup.sh test
	@$(MAKE) --no-print-directory binary
	@GRPCROUTE_BIN=$(BIN) .cache/venv/bin/python tests/bench/peers.py --servers --rounds 3 --confirm 1 $(BENCH_ARGS)

bench-scale:
	@tests/tool/setup.sh test
	@$(MAKE) --no-print-directory binary
	@GRPCROUTE_BIN=$(BIN) .cache/venv/bin/python tests/bench/scale.py $(BENCH_ARGS)

proxy-report:
	@tests/tool/setup.sh test
	@$(MAKE) --no-print-directory binary
	@GRPCROUTE_BIN=$(BIN) .cache/venv/bin/python tests/report/proxy_report.py $(REPORT_ARGS)

test-kind:
	@tests/tool/setup.sh cluster
	@tests/kind/test.sh

proto: binary

install: binary
	@to='$(DESTDIR)$(PREFIX)'; while [ ! -e "$$to" ]; do to=$$(dirname "$$to"); done; [ -w "$$to" ] || { \
		echo "make install: $$to cannot be written to; set PREFIX to a folder of yours, or run it as root" >&2; exit 2; }
	@meson configure $(BUILD) -Dprefix=$(PREFIX) > /dev/null
	@meson install -C $(BUILD) > $(BUILD)/install.log 2>&1 || { cat $(BUILD)/install.log; exit 1; }
	@echo '==> installed bin/grpcroute, its manual pages and completions for bash, fish and zsh under $(DESTDIR)$(PREFIX)' >&2

dist deb:
	@deploy/package.sh $@

format:
	@tests/tool/setup.sh test
	@tests/tool/lint.sh fix

lint:
	@tests/tool/setup.sh test
	@tests/tool/lint.sh

test-packages:
	@tests/tool/setup.sh packages
	@tests/packages/test.sh

coverage:
	@tests/tool/setup.sh test
	@tests/tool/coverage.sh

test-foreign:
	@tests/tool/setup.sh packages
	@tests/packages/foreign.sh i386
	@tests/packages/foreign.sh s390x

nightly: mutants coverage test-foreign test-packages

mutants:
	@tests/tool/setup.sh test
	@tests/mutants/run.sh

clean-build:
	@rm -rf dist build build-test build-asan build-tsan build-fuzz build-coverage build-mutants

# ---- the cluster -------------------------------------------------------------------------------

certs:
	@test -r $(CERTS)/cert.pem || certs/generate-certs.sh --out $(CERTS)

apply-certs:
	@$(CLUSTER) apply-certs

build:
	@$(CLUSTER) build

load:
	@$(CLUSTER) load

deploy-envoy deploy-traefik deploy-embedded: deploy-%:
	@$(CLUSTER) deploy $*

deploy-gateway:
	@$(CLUSTER) deploy gateway-api

all-envoy all-traefik all-embedded all-gateway: all-%:
	@$(MAKE) --no-print-directory certs
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory load
	@$(MAKE) --no-print-directory apply-certs
	@$(MAKE) --no-print-directory deploy-$*

logs-server-v1 logs-server-v2: logs-server-%:
	@$(CLUSTER) logs app=server,version=$*

logs-agent-v1-1 logs-agent-v1-2 logs-agent-v2-1 logs-agent-v2-2: logs-agent-%:
	@$(CLUSTER) logs app=agent,version=$(subst -,.,$*)

logs-agents-v1 logs-agents-v2: logs-agents-%:
	@$(CLUSTER) logs app=agent,major-version=$*

logs-envoy logs-traefik: logs-%:
	@$(CLUSTER) logs app=proxy-ingress,proxy=$*

logs-proxy:
	@$(CLUSTER) logs app=proxy-ingress

verify sticky-test:
	@GRPCROUTE=$(BIN) $(CLUSTER) check $@

clean:
	@$(CLUSTER) clean
