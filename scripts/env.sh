# Sourced by the other scripts: where the tools live, and a PATH with ours first.
# shellcheck shell=bash
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS=$ROOT/.tools
# Wanted before anything of the machine: an older wasm-opt (Debian's 108) writes modules that break at run time, silently.
export PATH="$TOOLS/cargo/debug:$TOOLS/bin:$TOOLS/nats/bin:$PATH"
