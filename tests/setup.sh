#!/usr/bin/env bash
# Gets everything that the tests need before the first of them runs: the crates, the real peers that they talk to (Debian packages, where
# their command is missing), nextest. Says what it does. Nothing that is installed is started, nor enabled. Without root it says what is
# missing; tests/run.sh leaves those tests out, and fails in the end, so that nobody takes a part for the whole.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/peers.sh

# Crates: of the main package those for this machine; of the models all, for which ones they need depends on a cfg. What is here
# already needs no network. What cannot be had is missed by the build that needs it.
fetch() { # ARGUMENTS...: for cargo fetch
  cargo fetch --locked --quiet --offline "$@" 2>/dev/null || {
    echo "setup: fetching crates: ${*: -1}"
    cargo fetch --locked --quiet "$@" || echo "setup: not all crates could be fetched" >&2
  }
}
fetch --target "$(rustc -vV | sed -n 's/^host: //p')" --manifest-path Cargo.toml
fetch --manifest-path tests/models/Cargo.toml

mapfile -t missing < <(missing_peers | cut -d'|' -f2 | sort -u)
if ((${#missing[@]})); then
  if [[ $(id -u) -ne 0 ]]; then
    echo "setup: these packages are missing, and only root can install them: ${missing[*]}" >&2
    echo "setup: run 'sudo apt-get install --no-install-recommends ${missing[*]}' for the tests that need them" >&2
  else
    echo "setup: installing ${missing[*]}"
    # While this file says 101, no package's script starts a service.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
      trap 'rm -f "$policy"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
fi

if ! cargo nextest --version >/dev/null 2>&1; then
  echo "setup: installing cargo-nextest"
  cargo install --locked --quiet cargo-nextest
fi
[[ -n $(missing_peers) ]] || echo "setup: everything is here"
