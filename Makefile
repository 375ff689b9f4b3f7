# Everything a fresh machine with Rust, Node and apt needs: `make run` and `make test`.

.PHONY: run web build test test-rust test-page test-clients test-browser test-api bench kill soak lint clean chromium

NPM_CI = npm ci --no-audit --no-fund --ignore-scripts
BIN = $(CURDIR)/target/debug/roundtable
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome || echo /usr/bin/chromium)

# Installs a package of the system.
apt-install = { \
	if [ "$$(id -u)" = 0 ]; then apt-get update && apt-get install -y --no-install-recommends $(1); \
	else sudo apt-get update && sudo apt-get install -y --no-install-recommends $(1); fi; }

# Builds the page and the server, starts it, prints the address.
run: web
	cargo build --release
	./target/release/roundtable serve

web: web-demo/dist/index.html

web-demo/dist/index.html: $(shell find web-demo -type f -not -path '*/node_modules/*' -not -path '*/dist/*')
	cd web-demo && $(NPM_CI) && npm run build

build: web
	cargo build

# Runs every test. What a suite needs is installed by its own target.
test: test-rust test-page test-clients test-browser test-api

test-rust: web
	cargo test

test-page: web
	cd web-demo && npm test

test-clients: build tests/clients/node_modules/.package-lock.json
	cd tests/clients && ROUNDTABLE_BIN=$(BIN) npm test

# One story drives the real client as well, which lies beside those of the clients.
test-browser: build chromium tests/browser/node_modules/.package-lock.json tests/clients/node_modules/.package-lock.json
	cd tests/browser && ROUNDTABLE_BIN=$(BIN) CHROMIUM=$(CHROMIUM) npm test

test-api: build tests/api/.venv/ready
	ROUNDTABLE_BIN=$(BIN) tests/api/.venv/bin/python tests/api/run.py

tests/api/.venv/ready: tests/api/requirements.txt
	@python3 -c "import venv, ensurepip" 2>/dev/null || $(call apt-install,python3-venv)
	python3 -m venv tests/api/.venv
	tests/api/.venv/bin/pip install --quiet --disable-pip-version-check -r tests/api/requirements.txt
	touch $@

tests/%/node_modules/.package-lock.json: tests/%/package-lock.json
	cd tests/$* && $(NPM_CI)

chromium:
	@test -x "$(CHROMIUM)" || $(call apt-install,chromium)

# The figures of docs/benchmarks.md, in a few minutes once everything is built.
bench: web chromium tests/browser/node_modules/.package-lock.json
	cargo bench
	cargo test --test economy -- --nocapture
	cargo build --release
	cd tests/browser && ROUNDTABLE_BIN=$(CURDIR)/target/release/roundtable CHROMIUM=$(CHROMIUM) npm run latency

# A hundred times kill -9 under load.
kill: web
	ROUNDTABLE_KILL_ROUNDS=100 cargo test --test durability kill -- --nocapture

# Many more seeds and mutants than the tests take.
soak:
	ROUNDTABLE_SIM_SEEDS=20000 cargo test --test simulation -- --nocapture
	GATE_FUZZ_ROUNDS=4000 cargo test --test gate_fuzz -- --nocapture
	LIVE_FUZZ_ROUNDS=100000 cargo test --test live fuzz -- --nocapture

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

clean:
	cargo clean
	rm -rf web-demo/dist web-demo/node_modules tests/*/node_modules tests/api/.venv
