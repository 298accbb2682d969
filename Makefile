# The only list of commands. Each works alone: it installs and builds what it needs first.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-live lint bench size fuzz pack clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing: wasm32 target, Chromium, nats-server, Node 26, build and test tools
	@scripts/setup.sh

build: ## compile the crate to WebAssembly and complete the package in pkg/
	@scripts/setup.sh build
	@scripts/build.sh

demo: ## a real nats-server, a headless page, 10,000 messages; then the console until Ctrl-C
	@scripts/setup.sh
	@scripts/build.sh
	@node scripts/demo.mjs

test: ## every test: Rust, headless browser, contract on real servers, tarball in every runtime, typings, size
	@scripts/setup.sh || { echo '0 passed, 1 failed'; exit 1; }
	@node scripts/test.mjs $(ARGS)

test-live: ## the contract suite on a Memphis broker of yours: MEMPHIS_URL=ws://host:7770 [MEMPHIS_USER= MEMPHIS_PASSWORD= ...], see README
	@scripts/setup.sh
	@scripts/build.sh
	@node scripts/test-live.mjs $(ARGS)

lint: ## formatting, clippy (native and wasm32) and type-check of the JavaScript
	@scripts/setup.sh build
	@scripts/lint.sh

bench: ## the package against nats.js and a raw socket, side by side in bare Chromium, a worker and Node
	@scripts/setup.sh
	@scripts/build.sh
	@.tools/node/bin/node bench/run.mjs $(ARGS)

size: ## what a page downloads, piece by piece; fails when over the budget
	@scripts/setup.sh build
	@scripts/build.sh
	@node scripts/size.mjs

fuzz: ## feed the parsers with made-up bytes, 20 s each (SECONDS_EACH=60 for longer)
	@fuzz/run.sh $(ARGS)

pack: ## leave stationmaster-X.Y.Z.tgz here, as npm would publish it
	@scripts/setup.sh build
	@scripts/build.sh
	@node scripts/pack.mjs

clean: ## remove what was built, keep the tools
	rm -rf target pkg/wasm pkg/index.d.ts pkg/schemas/built pkg/schemas/LICENSES stationmaster-*.tgz
