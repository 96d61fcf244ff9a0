#!/usr/bin/env bash
# The referee's load: rounds of all its cases against hotline (and Kamailio, and rtpengine behind it, where they are installed), then the
# table with medians and aims. `run.sh [ROUNDS]`, three unless told. Needs root, SIPp, taskset, a C compiler and two cores that nobody else uses.
#
# `run.sh --pair OLD NEW` plays hotline's cases with two binaries in turns, two rounds (pair.py), and fails where a median of NEW is worse than
# OLD's by more than a tenth, and by more than two in the last digit that is shown. PAIR_CASES, a regular expression, plays those cases alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
pair=()
if [ "${1:-}" = --pair ]; then
  [ $# -eq 3 ] || { echo "usage: run.sh --pair OLD NEW" >&2; exit 2; }
  pair=("$(realpath "$2")" "$(realpath "$3")")
  shift 3
fi
rounds=${1:-3}
binary=target/dist/hotline
work=$(mktemp -d)
lines=${LOAD_LINES:-$work/lines.jsonl}
relay='' server=''
trap 'kill $server $relay 2>/dev/null || true; rm -rf "$work"' EXIT
cp -r tests/load/. "$work"
cc -O2 -o "$work/rtpbench" "$work/rtpbench.c" -lm -lpthread
cc -O2 -shared -fPIC -o "$work/fineclock.so" "$work/fineclock.c" -ldl
export BENCH_TMP="$work"

stop() {
  for process in $server $relay; do
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  server='' relay=''
}
hotline() { # CONFIG: a fresh server
  stop
  taskset -c 0 "$binary" serve --config "$1" >/dev/null 2>"$work/server.log" &
  server=$!
  sleep 1.5
}
kamailio_alone() { # with the allocator that is meant for production
  stop
  taskset -c 0 kamailio -DD -E -x fm -X fm -m 512 -M 16 -f tests/load/kamailio.cfg -P "$work/kamailio.pid" >"$work/server.log" 2>&1 &
  server=$!
  sleep 2
}
kamailio_and_rtpengine() { # rtpengine is Kamailio's child here, so that the referee counts both
  stop
  cat >"$work/both.sh" <<'END'
trap 'kill $(jobs -p) 2>/dev/null; wait; exit' TERM
rtpengine --foreground --table=-1 --interface=127.0.0.10 --listen-ng=127.0.0.10:2223 --port-min=10000 --port-max=60000 \
  --num-threads=1 --no-log-timestamps --log-level=3 --log-stderr &
sleep 0.5
kamailio -DD -E -A WITH_RTPENGINE -x fm -X fm -m 512 -M 16 -f tests/load/kamailio.cfg -P "$1" &
wait
END
  taskset -c 0 bash "$work/both.sh" "$work/kamailio.pid" >"$work/server.log" 2>&1 &
  server=$!
  sleep 2.5
}
run() { # TAG CASE...
  local tag=$1
  shift
  "$work/bench.py" "$@" --tag "$tag" --server 127.0.0.10:5060 --pid "$server" --quiet-wait "${QUIET_WAIT:-120}" --log "$lines" >/dev/null
  tail -n 1 "$lines" | python3 tests/load/table.py --line
}
peak=0
climb() { # the highest rate on a quarter of a core at which no call fails and nearly all are answered at once
  local rate
  for ((rate = 1800; rate <= 6000; rate += 300)); do
    hotline configs/bench.toml
    run climb q --rate "$rate" --secs 8 --hold 100 --share 0.25
    tail -n 1 "$lines" | python3 tests/load/table.py --well || break
    peak=$rate
  done
  [ "$peak" -gt 0 ] || { echo "calls fail at 1,800/s already" >&2; exit 1; }
}

# A server with an event log and a store of its own.
recorded() {
  local records
  records=$(mktemp -d -p "$work")
  cat configs/bench.toml - >"$work/recorded.toml" <<END
[events]
directory = "$records"
[store]
file = "$records/hotline.db"
END
  hotline "$work/recorded.toml"
}

if [ ${#pair[@]} -gt 0 ]; then
  cc -O2 -o "$work/awake" "$work/awake.c"
  "$work/pair.py" "${pair[@]}" "$lines"
  python3 tests/load/table.py --pair "$lines"
  exit
fi

for ((round = 1; round <= rounds; round++)); do
  echo "round $round of $rounds"
  hotline configs/bench.toml
  run hotline q --rate 200 --secs 10
  run hotline q --rate 500 --secs 10
  run hotline q --rate 2000 --secs 10 --hold 100
  # Overload: a quarter of a core, its peak, and three times that.
  [ "$peak" -gt 0 ] || climb
  hotline configs/bench.toml
  run peak q --rate "$peak" --secs 8 --hold 100 --share 0.25
  run beyond q --rate "$((3 * peak))" --secs 8 --hold 100 --share 0.25
  for n in 100 500; do hotline configs/bench.toml && run hotline w --n "$n" --window 10; done
  hotline configs/bench.toml && run talk w --n 500 --talk --window 10
  hotline configs/bench.toml && run hotline w --n 2500 --ramp 100 --window 10
  for k in 100 300 1000 1300; do hotline configs/bench.toml && run hotline m --k "$k" --ramp 100 --window 10; done
  hotline configs/bench.toml && run hotline m --k 1500 --ramp 100 --window 10
  # The same calls with an event log and a store.
  recorded
  run recorded q --rate 500 --secs 10
  if command -v kamailio >/dev/null; then
    kamailio_alone
    run kamailio q --rate 200 --secs 10
    run kamailio q --rate 500 --secs 10
    run kamailio q --rate 2000 --secs 10 --hold 100
    if command -v rtpengine >/dev/null; then
      for k in 100 300 1000; do kamailio_and_rtpengine && run rtpengine m --k "$k" --ramp 100 --window 10; done
    fi
  fi
done
stop
python3 tests/load/table.py "$lines"
