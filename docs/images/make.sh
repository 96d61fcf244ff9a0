#!/usr/bin/env bash
# Makes the pictures of README.md anew: the beginning of `hotline demo`, and a page of `hotline simulate`.
# `make screenshots` builds hotline and runs this. It needs Chromium and pngquant. The demo takes
# the ports 5060 and 8120 of the loopback interface.
set -euo pipefail
cd "$(dirname "$0")/../.."
hotline=${HOTLINE:-target/release/hotline}
images=docs/images
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

shot() { # NAME WIDTH HEIGHT: takes a picture of $work/NAME.html
  # Chromium as root runs only without its sandbox; it opens nothing but our own page.
  chromium --headless=new --no-sandbox --hide-scrollbars --force-device-scale-factor=1 \
    --window-size="$2,$3" --screenshot="$work/$1.png" "file://$work/$1.html" 2>/dev/null
  pngquant --force --skip-if-larger --quality 60-95 --output "$images/$1.png" "$work/$1.png"
  echo "$images/$1.png: $(stat -c %s "$images/$1.png") bytes"
}

# The terminal: the first lines that the demo prints, unchanged.
lines=40
"$hotline" demo --for 30s >"$work/demo.txt"
{
  cat <<'HTML'
<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #14181f; }
pre { margin: 0; padding: 18px 22px; color: #d6dbe4;
      font: 14px/19px "DejaVu Sans Mono", "Liberation Mono", monospace; }
b { color: #7fd18b; font-weight: normal; }
</style><pre>
HTML
  echo '<b>$ hotline demo</b>'
  head -n "$lines" "$work/demo.txt" | sed 's/&/\&amp;/g; s/</\&lt;/g'
  echo '</pre>'
} >"$work/demo.html"
shot demo 980 $((36 + 19 * (lines + 1)))

# The simulator's page: ten days of configs/seoul-120.toml.
"$hotline" simulate --config configs/seoul-120.toml --day configs/days/seoul-120.toml \
  --html "$work/simulate.html" >/dev/null
shot simulate 1120 1365
