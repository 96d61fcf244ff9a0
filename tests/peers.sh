# The real peers that the tests talk to: command, Debian package, the tests that need it (a nextest filter expression).
# Sourced by tests/setup.sh, which installs them, and tests/run.sh, which leaves out the tests of those that are missing.
peers=(
  "sipp|sip-tester|(binary(peers) and test(/^(calls|killed|menu|prometheus|trunks)::/)) or binary(player)"
  "baresip|baresip-core|binary(peers) and test(/^(softphones|phones|codecs|demo|kamailio|linphone|menu)::/)"
  "sox|sox|binary(peers) and test(/^(softphones|phones|codecs|demo|kamailio|linphone|menu)::/)"
  "linphonecsh|linphone-cli|binary(peers) and test(/^linphone::/)"
  "kamailio|kamailio|binary(peers) and test(/^kamailio::/)"
  "rtpengine|rtpengine-daemon|binary(peers) and test(/rtpengine/)"
  "prometheus|prometheus|binary(peers) and test(/^prometheus::/)"
  "promtool|prometheus|binary(peers) and test(/prometheus_reads/)"
)

# Debian keeps some of them where only root looks.
PATH=$PATH:/usr/sbin

# Prints the lines of `peers` whose command is not there.
missing_peers() {
  local peer
  for peer in "${peers[@]}"; do
    command -v "${peer%%|*}" >/dev/null 2>&1 || echo "$peer"
  done
}
