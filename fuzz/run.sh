#!/usr/bin/env bash
# Feeds every fuzz target for SECONDS_EACH seconds (20 by default), or the one that is named. Needs a stable Rust and
# a C++ compiler, nothing else: the passes that watch which code runs are part of the stable compiler.
# The same targets work with `cargo fuzz run <target>` where that is installed.
set -euo pipefail
cd "$(dirname "$0")"

each="${SECONDS_EACH:-20}"
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(nats_wire nats_session nats_messages nats_answers memphis given schemas)

# What cargo-fuzz passes on a stable compiler, without the address sanitizer: the crate forbids unsafe code, so the
# panics and overflow checks of debug assertions find what there is to find.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"

host="$(rustc -vV | sed -n 's/^host: //p')"
dir="${CARGO_TARGET_DIR:-$PWD/target}"
export CARGO_TARGET_DIR="$dir"
cargo build --release --quiet --target "$host"

failed=0
for target in "${targets[@]}"; do
  if [ "$target" = schemas ]; then
    # JavaScript, as the build left it.
    echo "fuzz: schemas, $each s"
    node schemas.mjs "$each" || failed=1
    continue
  fi
  corpus="corpus/$target"
  artifacts="artifacts/$target"
  mkdir -p "$corpus" "$artifacts"
  # The recordings are the best beginning: one file a recording, the server's side of it behind a byte that says how
  # to cut it.
  node seeds.mjs ../tests/vectors/nats "$corpus"
  [ "$target" != memphis ] || node seeds.mjs ../tests/vectors/memphis "$corpus"
  echo "fuzz: $target, $each s"
  if ! "$dir/$host/release/$target" "$corpus" -max_total_time="$each" -artifact_prefix="$artifacts/" \
    -dict=nats.dict -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 2> "$artifacts/log"; then
    failed=1
    tail -n 30 "$artifacts/log"
    echo "fuzz: $target failed; the bytes are in fuzz/$artifacts. Put them into tests/vectors/nats as crash-<what>.bin"
  fi
  grep -E 'number_of_executed_units|average_exec|peak_rss' "$artifacts/log" | sed 's/^/fuzz: /' || true
done
exit $failed
