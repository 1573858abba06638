# One door: `make check`, `make test` and `make interop` are what CI runs. Everything needs no more than this file
# says; `make packages` (part of test and demo) installs what is missing on Debian.

CARGO ?= cargo

.PHONY: all build demo lab check test interop fuzz bench clean packages

all: build

build:
	$(CARGO) build --bin navigator

packages:
	@scripts/install-packages

# The story of a port forward, told by the stock openstack client, in about half a minute.
demo: packages build
	@client=$$(scripts/stock-client) && NAVIGATOR_OPENSTACK=$$client $(CARGO) run --quiet --bin navigator -- lab demo

# A small cloud to try things in; `navigator lab down` removes it.
lab: packages build
	@$(CARGO) run --quiet --bin navigator -- lab up

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) xtask tidy
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

test: packages
	@scripts/run-tests

# Beside the real Keystone, with real clients: every part of interop/parts, or one: PART=tempest.
interop: packages
	@interop/run $(PART)

# Every property test of what reads other people's bytes, with new cases until the time is over.
FUZZ_MINUTES ?= 10
fuzz: packages
	@end=$$(($$(date +%s) + 60 * $(FUZZ_MINUTES))); \
	while [ $$(date +%s) -lt $$end ]; do \
		PROPTEST_CASES=$${PROPTEST_CASES:-2000} $(CARGO) test --quiet --workspace fuzz_ || exit 1; \
	done

# Stock Neutron, which part h runs beside Navigator, wants more of Debian.
bench:
	@scripts/install-packages haproxy socat $(if $(filter-out h,$(PART)),,mariadb-server rabbitmq-server)
	$(CARGO) build --release --bin navigator --bin navigator-bench
	@target/release/navigator-bench $(PART)

clean:
	$(CARGO) clean
