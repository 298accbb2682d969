#!/usr/bin/env bash
# wasm-pack into pkg/wasm, then what wasm-pack does not make: the inlined module and the public typings.
# One build at a time in one checkout: they would write the same files.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"
exec 9>"$TOOLS/build.lock"
flock 9
start=$SECONDS
# --no-gitignore: the one it writes holds "*", and npm would leave the whole folder out of the package.
wasm-pack --quiet build --release --target web --mode no-install --no-pack --no-gitignore --out-dir pkg/wasm --out-name stationmaster .
node scripts/package.mjs
printf 'build: %d s, %d bytes of wasm\n' $((SECONDS - start)) "$(stat -c %s pkg/wasm/stationmaster_bg.wasm)"
