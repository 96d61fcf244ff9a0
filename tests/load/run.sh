#!/usr/bin/env bash
# Runs the referee's load against hotline with configs/bench.toml. Needs root, SIPp, taskset, a C compiler and two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
cp -r tests/load/. "$work"
cc -O2 -o "$work/rtpbench" "$work/rtpbench.c" -lm -lpthread
cc -O2 -shared -fPIC -o "$work/fineclock.so" "$work/fineclock.c" -ldl

start() {
  kill "${server:-}" 2>/dev/null || true
  wait "${server:-}" 2>/dev/null || true
  taskset -c 0 target/release/hotline serve --config configs/bench.toml 2>"$work/server.log" &
  server=$!
  sleep 1.5
}
run() { "$work/bench.py" "$@" --server 127.0.0.10:5060 --pid "$server" --quiet-wait "${QUIET_WAIT:-120}"; }

start
for rate in 200 500; do run q --rate "$rate" --secs 20; done
for rate in 1000 2000; do run q --rate "$rate" --secs 10 --hold 100; done
start; run w --n 100
start; run w --n 500
start; run w --n 500 --talk
for k in 100 300 1000; do start; run m --k "$k"; done
