#!/usr/bin/env bash
# Runs the models of the matcher, and shows that each step taken out of it is noticed. Arguments name the models to run:
# parked, loom, loom-mutants, shuttle, shuttle-mutants; without any, all of them.
set -euo pipefail
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-../../target}/models

model() { # CFG ARGUMENTS...: each checker has its own atomics, so its own build
  local cfg=$1
  shift
  RUSTFLAGS="--cfg hotline_$cfg" cargo run --quiet --release --target-dir "$target/$cfg" -- "$@"
}

export SHUTTLE_SILENCE_WARNINGS=1
[[ $# -gt 0 ]] || set -- parked loom loom-mutants shuttle shuttle-mutants
for what in "$@"; do
  case $what in
  parked) model parked ;;
  # Larger models than can be run whole are cut: LOOM_SECONDS=600 looks further.
  loom) model loom --seconds "${LOOM_SECONDS:-4}" ;;
  loom-mutants) model loom --seconds 10 --mutants ;;
  shuttle) model shuttle "${SHUTTLE_EXECUTIONS:-6000}" ;;
  # By chance, to the first that is noticed: mostly soon.
  shuttle-mutants) model shuttle 200000 --mutants 2>/dev/null ;;
  *)
    echo "models: there is no $what" >&2
    exit 2
    ;;
  esac
done
