#!/usr/bin/env bash
# How many instructions each call and each move of the matcher takes (needs valgrind). Each is run twice, the second time more often: the
# difference is what they take without the beginning. Exact to the instruction but for what chance decides, whoever else uses the machine.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
command -v valgrind >/dev/null || { echo "valgrind is missing: it is a package of that name" >&2; exit 1; }
program=${1:-$($cargo bench --bench instructions --no-run --message-format=json |
  sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)}

count() { # WHAT TIMES
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
few=2000 many=6000
for what in $("$program"); do
  printf '%-24s%8d\n' "$what" $((($(count "$what" "$many") - $(count "$what" "$few")) / (many - few)))
done
