#!/usr/bin/env bash
# Runs every test. Those of peers that are not installed are left out and listed, and then it fails, however well the rest went.
set -uo pipefail
cd "$(dirname "$0")/.."
source tests/peers.sh

# From here on nothing is fetched: tests/setup.sh has got it all.
export CARGO_NET_OFFLINE=true

mapfile -t missing < <(missing_peers)
left_out=""
for peer in "${missing[@]}"; do
  filter=${peer##*|}
  left_out=${left_out:+$left_out or }"($filter)"
done

# Each commit plays days of its own in the simulation; HOTLINE_SEEDS=HASH plays those of another again.
export HOTLINE_SEEDS=${HOTLINE_SEEDS:-$(git rev-parse HEAD 2>/dev/null || echo 0)}
echo "test: the simulation's days are those of HOTLINE_SEEDS=$HOTLINE_SEEDS"

status=0
cargo nextest run --release --no-fail-fast ${left_out:+-E "not ($left_out)"} || status=1
# Those of a running server and of the engine once more, with two shards.
HOTLINE_SHARDS=2 cargo nextest run --release --no-fail-fast \
  -E "(binary(peers) or binary(soak) or test(/^engine::tests::/))${left_out:+ and not ($left_out)}" || status=1
cargo test --release --doc --quiet || status=1
bash tests/models/run.sh || status=1

if ((${#missing[@]})); then
  echo "test: left out, because these are not installed: $(printf '%s\n' "${missing[@]}" | cut -d'|' -f2 | sort -u | xargs)" >&2
  cargo nextest list --release --message-format oneline -E "$left_out" 2>/dev/null | sed 's/^/test: left out: /' >&2
  status=1
fi
exit $status
