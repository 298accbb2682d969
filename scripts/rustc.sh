#!/usr/bin/env bash
# Between cargo and the compiler when the module for pages is built. Cargo leaves the optimization across crates out where a
# library is a cdylib and an rlib at once, and the tests need the rlib: here it is a cdylib alone. And where panics name the
# standard library, they do not name somebody's home.
set -euo pipefail
compiler=$1
shift
case " $* " in
  *' --crate-type cdylib --crate-type rlib '*' --target wasm32-unknown-unknown '*) ;;
  *) exec "$compiler" "$@" ;;
esac
flags=()
for flag in "$@"; do
  if [ "$flag" = rlib ]; then unset 'flags[-1]'; else flags+=("$flag"); fi
done
library=$("$compiler" --print sysroot)/lib/rustlib/src/rust/library/
# A little more is inlined than "z" alone would: what that takes in bytes it gives back in calls (0.9 KB of the first download).
# Relocations say where data begins and ends: by them it is put into the parts that use it.
exec "$compiler" "${flags[@]}" -C lto=fat -C llvm-args=-inline-threshold=10 -C link-arg=--emit-relocs "--remap-path-prefix=$library="
