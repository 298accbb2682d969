#!/usr/bin/env bash
# Cargo leaves the optimization across crates out where a library is built as cdylib and rlib at once, and the tests need
# the rlib. So the build puts this between cargo and the compiler: the module for pages is a cdylib alone.
set -euo pipefail
compiler=$1
shift
case " $* " in
  *' --crate-type cdylib --crate-type rlib '*' --target wasm32-unknown-unknown '*) ;;
  *) exec "$compiler" "$@" ;;
esac
flags=("$@")
for at in "${!flags[@]}"; do
  if [ "${flags[at]}" = rlib ] && [ "${flags[at - 1]}" = --crate-type ]; then unset "flags[at]" "flags[at - 1]"; fi
done
exec "$compiler" "${flags[@]}" -C lto=fat
