# `make test` is all that a newcomer needs; `make check` is what must be green before a commit.

BROWSER_TESTS = tests/browser
HOSTILE_TESTS = tests/hostile
PARTS = --locked --profile counted --package chinwag-parts
PEERS = benches/peers

.PHONY: run test check fmt bench bench-peers plots bench-parts instructions hostile soak loom conformance clients browser-test browser-tools screenshots install

run:
	cargo run --release

# Without the browser: make test BROWSER=no. Without the attacks: make test HOSTILE=no.
TESTS = rust-test
ifneq ($(HOSTILE),no)
TESTS += hostile
endif
ifneq ($(BROWSER),no)
TESTS += browser-test
endif

test: $(TESTS)

.PHONY: rust-test
rust-test:
	cargo test --locked

browser-test: browser-tools
	cargo build --locked --release
	cd $(BROWSER_TESTS) && npm test

browser-tools:
	sh $(BROWSER_TESTS)/tools.sh
	cd $(BROWSER_TESTS) && npm ci --silent --no-audit --no-fund

# One of the example clients is for Node, as the browser tests are.
CHECKS = test loom conformance
ifneq ($(BROWSER),no)
CHECKS += clients
endif
# Without valgrind: make check INSTRUCTIONS=no.
ifneq ($(INSTRUCTIONS),no)
CHECKS += instructions
endif

check:
	cargo fmt --all --check
	cargo fmt --check --manifest-path $(PEERS)/axum/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --lib --no-default-features -- -D warnings
	cargo clippy --locked --all-targets --no-default-features --features cli -- -D warnings
	cargo clippy --locked --all-targets --all-features -- -D warnings
	cargo clippy --locked --test hostile --test soak --test clients -- -D warnings
	cargo clippy --locked --package testkit --package chinwag-loom --all-targets -- -D warnings
	cargo clippy $(PARTS) --bin parts --test instructions -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	$(MAKE) $(CHECKS)

fmt:
	cargo fmt --all
	cargo fmt --manifest-path $(PEERS)/axum/Cargo.toml

# A table on the terminal, and bench.json in the folder of the build.
bench:
	cargo bench --locked --bench load

# The same beside two other servers: one on axum and tokio, one on Node and ws.
bench-peers:
	sh $(PEERS)/ws/tools.sh
	cd $(PEERS)/ws && npm ci --silent --no-audit --no-fund
	cargo build --locked --release --manifest-path $(PEERS)/axum/Cargo.toml --target-dir target/peers
	cargo bench --locked --bench load -- \
	    --peer axum=target/peers/release/chinwag-peer-axum --peer "ws=node $(PEERS)/ws/server.mjs"

# What was measured, as SVG in docs/. Where the folder of the build is elsewhere:
# make plots BENCH=path/to/bench.json
BENCH = target/bench.json
plots: $(BENCH)
	PYTHON=$$(sh tests/python.sh target/plots benches/plots/requirements.txt) && \
	    "$$PYTHON" benches/plots/draw.py "$(BENCH)" docs

$(BENCH):
	@echo "$@ is missing: make bench measures and writes it, BENCH=FILE names another." >&2
	@false

# The smallest parts by themselves, against the clock.
bench-parts:
	cargo run $(PARTS)

# The parts against the budget of their instructions. To record it anew: RECORD=yes.
instructions:
	sh benches/parts/tools.sh
	RECORD=$(RECORD) cargo test $(PARTS) -- --nocapture

# Attacks, faults and shortages, against the release program, one after the other.
hostile:
	sh $(HOSTILE_TESTS)/tools.sh
	cargo build --locked --release
	CHINWAG_BIN=$(CURDIR)/target/release/chinwag \
	    cargo test --locked --test hostile -- --test-threads=1 --nocapture

# A minute of heads gone wrong and one of connections that break, against the release program; the
# seeds are printed.
soak:
	cargo build --locked --release
	CHINWAG_BIN=$(CURDIR)/target/release/chinwag \
	    cargo test --locked --test soak -- --test-threads=1 --nocapture

# The outbox under every order in which its lock can be taken.
loom:
	cargo test --locked --release --package chinwag-loom

# The cases of the Autobahn suite against the real connection loop, with an echo for a broadcaster.
conformance:
	RUSTFLAGS="--cfg conformance" cargo build --locked --release --target-dir target/conformance
	sh tests/conformance/run.sh target/conformance/release/chinwag

# The example clients in Python and JavaScript, over a network that breaks.
clients: browser-tools
	PYTHON=$$(sh tests/python.sh target/python tests/clients/requirements.txt) && export PYTHON && \
	    cargo test --locked --test clients

screenshots: browser-tools
	cargo build --locked --release
	node $(BROWSER_TESTS)/screenshots.mjs docs

install:
	cargo install --locked --path .
