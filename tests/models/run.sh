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

model parked
model loom
model loom --mutants
model shuttle
model shuttle --mutants
