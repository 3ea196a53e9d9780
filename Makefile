# `make test` is all that a newcomer needs. `make check` must pass before each commit.

BROWSER_TESTS = tests/browser
PARTS = --locked --profile counted --package chinwag-parts
PEERS = benches/peers
EMBEDDER = tests/outside/src/main.rs

.PHONY: run test check fmt bench bench-peers plots bench-parts instructions hostile soak loom \
    conformance clients browser-test browser-packages screenshots install rust-test api outside \
    features

run:
	cargo run --release

# Without the browser: make test BROWSER=no. Without the attacks: make test HOSTILE=no.
TESTS = rust-test
ifneq ($(HOSTILE),no)
TESTS += hostile
NEEDS += hostile
endif
ifneq ($(BROWSER),no)
TESTS += browser-test
NEEDS += browser
endif

# The tools come first, so that a missing one is known before the first test runs.
test:
	sh tests/tools.sh $(NEEDS)
	$(MAKE) $(TESTS)

rust-test:
	cargo test --locked

browser-test: browser-packages
	cargo build --locked --release --package chinwag --package testkit
	cd $(BROWSER_TESTS) && npm test

browser-packages:
	sh tests/tools.sh browser
	cd $(BROWSER_TESTS) && npm ci --silent --no-audit --no-fund

CHECKS = test loom conformance outside
CHECK_NEEDS = $(NEEDS) python
# One of the example clients needs Node, as the browser tests do.
ifneq ($(BROWSER),no)
CHECKS += clients
endif
# Without valgrind: make check INSTRUCTIONS=no.
ifneq ($(INSTRUCTIONS),no)
CHECKS += instructions
CHECK_NEEDS += instructions
endif

check:
	sh tests/tools.sh $(CHECK_NEEDS)
	cargo fmt --all --check
	cargo fmt --check --manifest-path $(PEERS)/axum/Cargo.toml
	rustfmt --check --edition 2024 $(EMBEDDER)
	sh tests/prose.sh --test
	sh tests/prose.sh
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --lib --no-default-features -- -D warnings
	cargo clippy --locked --all-targets --no-default-features --features cli -- -D warnings
	cargo clippy --locked --all-targets --all-features -- -D warnings
	cargo clippy --locked --test hostile --test soak --test clients -- -D warnings
	cargo clippy --locked --package testkit --package chinwag-loom --all-targets -- -D warnings
	cargo clippy $(PARTS) --bin parts --test instructions -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	python3 tests/public_api.py --check
	$(MAKE) $(CHECKS)

fmt:
	cargo fmt --all
	cargo fmt --manifest-path $(PEERS)/axum/Cargo.toml
	rustfmt --edition 2024 $(EMBEDDER)

# Prints a table and writes bench.json into the folder of the build.
bench:
	cargo bench --locked --bench load

# The same with two other servers: axum with tokio, and ws on Node.
bench-peers:
	sh tests/tools.sh peers
	cd $(PEERS)/ws && npm ci --silent --no-audit --no-fund
	cargo build --locked --release --manifest-path $(PEERS)/axum/Cargo.toml --target-dir target/peers
	cargo bench --locked --bench load -- \
	    --peer axum=target/peers/release/chinwag-peer-axum --peer "ws=node $(PEERS)/ws/server.mjs"

# Draws bench.json as SVG into docs/. For a file elsewhere: make plots BENCH=path/to/bench.json
BENCH = target/bench.json
plots: $(BENCH)
	PYTHON=$$(sh tests/python.sh target/plots benches/plots/requirements.txt) && \
	    "$$PYTHON" benches/plots/draw.py "$(BENCH)" docs

$(BENCH):
	@echo "$@ is missing: make bench writes it, BENCH=FILE names another." >&2
	@false

# Measures the time of single parts of the server.
bench-parts:
	cargo run $(PARTS)

# Compares the instructions of the parts with their budget. To record a new budget: RECORD=yes.
# To compare with other tools than the recorded ones: TOOLS=any.
instructions:
	sh tests/tools.sh instructions
	RECORD=$(RECORD) cargo test $(PARTS) -- --nocapture

# Attacks, faults and shortages, against the release program, one after the other.
hostile:
	sh tests/tools.sh hostile
	cargo build --locked --release
	CHINWAG_BIN=$(CURDIR)/target/release/chinwag \
	    cargo test --locked --test hostile -- --test-threads=1 --nocapture

# A minute of damaged requests and one of breaking connections, against the release program.
soak:
	cargo build --locked --release
	CHINWAG_BIN=$(CURDIR)/target/release/chinwag \
	    cargo test --locked --test soak -- --test-threads=1 --nocapture

# The outbox under every order in which its lock can be taken.
loom:
	cargo test --locked --release --package chinwag-loom

# The Autobahn cases against the connection loop, with a broadcaster that echoes.
conformance:
	RUSTFLAGS="--cfg conformance" cargo build --locked --release --target-dir target/conformance
	sh tests/conformance/run.sh target/conformance/release/chinwag

# The example clients in Python and JavaScript, over a network that breaks.
clients: browser-packages
	PYTHON=$$(sh tests/python.sh target/python tests/clients/requirements.txt) && export PYTHON && \
	    cargo test --locked --test clients

# Writes the list of the public API, which `make check` compares.
api:
	python3 tests/public_api.py

# A program that embeds the package, outside the repository.
outside:
	sh tests/outside.sh

# Measures each feature of the library. Takes some minutes.
features:
	python3 tests/features.py

screenshots: browser-packages
	cargo build --locked --release
	node $(BROWSER_TESTS)/screenshots.mjs docs

install:
	cargo install --locked --path .
