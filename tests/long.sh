#!/usr/bin/env bash
# Runs what takes too long for `make test`, in parts of at most 40 minutes each. Arguments name the parts to run; without any, all are.
# --table runs nothing.
#
# Each part leaves its result in target/long/PART, and what it printed in target/long/PART.log. A part that has passed is left out while
# the files that it covers are those of the commit at which it passed; so a run that was broken off goes on where it was. Remove
# target/long/PART to run a part again. Nothing multiplies the tests yet: the full matrix is one of one. Ends with a table of all parts, and fails unless each of them has passed.
set -uo pipefail
cd "$(dirname "$0")/.."
results=${CARGO_TARGET_DIR:-target}/long
part_max=40m
mkdir -p "$results"

# What the simulation, and what the whole program is made of.
core="src/lib.rs src/base src/sip src/sdp src/rtp src/call src/acd src/report src/engine"
build="Cargo.toml Cargo.lock"

# Part and the files that it covers; what it does is the function part_NAME below.
parts=(
  "deny|$build deny.toml"
  "days|$core src/dst src/config src/replay $build"
  "fuzz|$core src/config tests/wire.rs tests/config configs $build"
  "stress|src/acd src/base tests/stress.rs $build"
  "soak|src tests/soak.rs tests/peers/house.rs prompts $build"
  "parked|src/acd src/base tests/models"
  "loom|src/acd src/base tests/models"
  "loom_mutants|src/acd src/base tests/models"
  "shuttle|src/acd src/base tests/models"
  "shuttle_mutants|src/acd src/base tests/models"
  "benches|src benches examples $build"
)

part_deny() {
  command -v cargo-deny >/dev/null || cargo install --locked --quiet cargo-deny || return
  cargo deny --locked check bans licenses sources
}
part_days() {
  cargo nextest run --release --profile long --lib --run-ignored only -E 'test(=dst::tests::all_days)'
}
part_fuzz() { make fuzz FUZZ_CASES=2000000; }
part_stress() { STRESS_TIMES=300 cargo nextest run --release --profile long --test stress; }
part_soak() {
  local turn
  for turn in 1 2 3 4 5; do
    echo "soak $turn of 5"
    cargo nextest run --release --test soak || return
  done
}
part_parked() { bash tests/models/run.sh parked; }
part_loom() { LOOM_SECONDS=50 bash tests/models/run.sh loom; }
part_loom_mutants() { bash tests/models/run.sh loom-mutants; }
part_shuttle() { SHUTTLE_EXECUTIONS=500000 bash tests/models/run.sh shuttle; }
part_shuttle_mutants() { bash tests/models/run.sh shuttle-mutants; }
part_benches() { cargo bench --no-run; }

# A part is run by a process of its own, which can be ended when it takes too long.
if [[ ${1:-} == --part ]]; then
  "part_$2"
  exit
fi

# Whether these files are those of this commit, and no others are beside them.
unchanged_since() { # COMMIT PATH...
  local commit=$1
  shift
  git diff --quiet "$commit" -- "$@" 2>/dev/null && [[ -z $(git ls-files --others --exclude-standard -- "$@") ]]
}

# The state of a part: passed, failed, missing, or outdated, which is what has passed for other files.
state_of() { # NAME PATH...
  local name=$1 result commit
  shift
  [[ -r $results/$name ]] || { echo missing && return; }
  read -r result commit _ <"$results/$name"
  if [[ $result == passed ]] && ! unchanged_since "$commit" "$@"; then
    result=outdated
  fi
  echo "$result"
}

# Whoever breaks the run off ends the part, too; it leaves no result.
running=
trap '[[ -z $running ]] || kill "$running" 2>/dev/null; exit 130' INT TERM

run_part() { # NAME PATH...
  local name=$1 begun=$SECONDS commit result
  shift
  commit=$(git rev-parse HEAD) || exit
  echo "long: $name, since $(date +%H:%M:%S); see $results/$name.log"
  rm -f "$results/$name"
  timeout --kill-after=10s "$part_max" bash tests/long.sh --part "$name" >"$results/$name.log" 2>&1 &
  running=$!
  if wait "$running"; then
    result=passed
  else
    result=failed
    tail -n 30 "$results/$name.log"
  fi
  # It says something of a commit only if the files were that commit's from the beginning to the end.
  unchanged_since "$commit" "$@" || commit=uncommitted
  echo "$result $commit $(date +%Y-%m-%dT%H:%M:%S) $((SECONDS - begun))" >"$results/$name"
}

paths_of() { # NAME
  local part
  for part in "${parts[@]}"; do
    [[ ${part%%|*} != "$1" ]] || echo "${part#*|}"
  done
}

wanted=("$@")
[[ $# -gt 0 ]] || mapfile -t wanted < <(printf '%s\n' "${parts[@]%%|*}")
[[ ${1:-} != --table ]] || wanted=()
for name in "${wanted[@]}"; do
  read -ra paths <<<"$(paths_of "$name")"
  if ((${#paths[@]} == 0)); then
    echo "long: there is no part $name, only ${parts[*]%%|*}" >&2
    exit 2
  fi
  if [[ $(state_of "$name" "${paths[@]}") == passed ]]; then
    echo "long: $name has passed, and its files have not changed"
  else
    run_part "$name" "${paths[@]}"
  fi
done

status=0
printf '\n%-16s %-8s %-12s %-20s %7s\n' part state commit date seconds
for part in "${parts[@]}"; do
  name=${part%%|*}
  read -ra paths <<<"${part#*|}"
  state=$(state_of "$name" "${paths[@]}")
  commit='' date='' seconds=''
  [[ ! -r $results/$name ]] || read -r _ commit date seconds <"$results/$name"
  printf '%-16s %-8s %-12s %-20s %7s\n' "$name" "$state" "${commit:0:12}" "$date" "$seconds"
  [[ $state == passed ]] || status=1
done
exit $status
