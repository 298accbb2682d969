#!/usr/bin/env bash
# wasm-pack makes the whole module in target/whole; then pkg/wasm gets it in parts, also inlined, and pkg the public typings.
# One build at a time in one checkout: they would write the same files.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"
exec 9>"$TOOLS/build.lock"
flock 9
node scripts/schemas.mjs
# Nothing to do while the module is newer than everything it is made of (a removed file makes its folder newer).
made=pkg/wasm/stationmaster_bg.wasm
if [ -f "$made" ] && [ -f pkg/index.d.ts ] && [ -f pkg/wasm/inline.js ] && [ -f target/parts/parts.json ] && [ -x target/tools/debug/parts ] &&
  [ -z "$(find src Cargo.toml Cargo.lock scripts/build.sh scripts/rustc.sh scripts/package.mjs scripts/parts.txt tools/parts -newer "$made" -print -quit)" ]; then
  echo 'build: up to date'
  exit 0
fi
start=$SECONDS
cargo build --quiet --locked --manifest-path tools/parts/Cargo.toml --target-dir target/tools
# --no-gitignore: the one it writes holds "*", and npm would leave the whole folder out of the package.
# The standard library is built with it, for size, and a panic is a trap and nothing else: 8 KB of the first download are messages of
# panics, their formatting, and a library that was made for speed. The compiler is the stable one; the variable lets it do both. Names
# as tools/parts reads them.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS='-C panic=immediate-abort -C symbol-mangling-version=legacy -Z unstable-options'
RUST_BACKTRACE=0 RUSTC_WORKSPACE_WRAPPER=$ROOT/scripts/rustc.sh wasm-pack --quiet build --release --target web --mode no-install --no-pack --no-gitignore --out-dir target/whole --out-name stationmaster . -- -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size 2> >(grep -v 'linking section is present' >&2) # what it warns of is for tools/parts
node scripts/package.mjs
touch "$made"
printf 'build: %d s, %d bytes of wasm\n' $((SECONDS - start)) "$(stat -c %s "$made")"
