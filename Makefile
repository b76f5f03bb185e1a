# The front door. `make demo` and `make test` do all the set-up on a fresh Debian 12.
BUILD ?= build
BIN = $(BUILD)/src/grpcroute

.PHONY: all build demo test bench certs proto install clean-build help

all: build

help:
	@echo 'make demo         set up, build, and show the whole topology on this machine'
	@echo 'make test         set up, build, and test everything'
	@echo 'make build        build $(BIN) (the packages must be there: see make demo)'
	@echo 'make bench        CPU per round trip of proxy and server beside Envoy and nghttpx'
	@echo 'make certs        make a CA and a server certificate in certs/'
	@echo 'make proto        generate the protobuf code (part of every build)'
	@echo 'make install      install under PREFIX (default /usr/local)'
	@echo 'make clean-build  remove the build folders'

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --buildtype=release -Dprefix=$(or $(PREFIX),/usr/local) > /dev/null

build: $(BUILD)/build.ninja
	@echo '==> building $(BIN)' >&2
	@meson compile -C $(BUILD) > $(BUILD)/compile.log 2>&1 || { cat $(BUILD)/compile.log; exit 1; }

demo:
	@tests/tool/setup.sh build
	@$(MAKE) --no-print-directory build
	@$(BIN) demo $(DEMO_ARGS)

test:
	@tests/tool/setup.sh test
	@tests/tool/test.sh

bench:
	@tests/tool/setup.sh test
	@$(MAKE) --no-print-directory build
	@.cache/venv/bin/python tests/bench/round_trip.py --bin $(BIN)

certs:
	@certs/generate-certs.sh

proto: build

install: build
	$(if $(PREFIX),@meson configure $(BUILD) -Dprefix=$(PREFIX))
	@meson install -C $(BUILD)

clean-build:
	@rm -rf build build-test build-asan build-fuzz
