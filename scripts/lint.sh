#!/usr/bin/env bash
# Formatting, clippy on both targets, and the JavaScript shell type-checked against the public declarations.
# The last line is "N passed, N failed".
set -u
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT" || exit 1
passed=0 failed=0
check() {
  local name=$1 start=$SECONDS
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); printf 'lint: %s FAILED\n' "$name" >&2; fi
  printf 'lint: %-16s %d s\n' "$name" $((SECONDS - start))
}
check 'cargo fmt' cargo fmt --check
check 'clippy' cargo clippy --quiet --all-targets -- -D warnings
check 'clippy wasm32' cargo clippy --quiet --target wasm32-unknown-unknown --lib -- -D warnings
[ -f pkg/index.d.ts ] || scripts/build.sh || exit 1
check 'tsc pkg/shell' node "$TOOLS/npm/node_modules/typescript/bin/tsc" -p pkg/tsconfig.json
check 'tsc pkg/schemas' node "$TOOLS/npm/node_modules/typescript/bin/tsc" -p pkg/schemas/tsconfig.json
printf '%d passed, %d failed\n' $passed $failed
[ $failed = 0 ]
