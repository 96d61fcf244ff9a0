#!/usr/bin/env bash
# Runs the models of the matcher, and shows that each step taken out of it is noticed.
set -euo pipefail
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-../../target}/models

model() { # CFG ARGUMENTS...: each checker has its own atomics, so its own build
  local cfg=$1
  shift
  RUSTFLAGS="--cfg hotline_$cfg" cargo run --quiet --release --target-dir "$target/$cfg" -- "$@"
}

# Larger models than can be run whole are cut: LOOM_SECONDS=600 looks further.
export SHUTTLE_SILENCE_WARNINGS=1
model parked
model loom --seconds "${LOOM_SECONDS:-4}"
model loom --seconds 10 --mutants
model shuttle "${SHUTTLE_EXECUTIONS:-6000}"
# By chance, to the first that is noticed: mostly soon.
model shuttle 200000 --mutants 2>/dev/null
