# Newcomers need `make demo` and `make test`. The rest is for those who change hotline.

CARGO ?= cargo

.PHONY: demo test quick setup check models long deny advisories bench bench-load instructions fuzz
.PHONY: screenshots clean

## Shows a small city at work on this machine's loopback; Ctrl-C ends it.
demo:
	$(CARGO) run --release -- demo

## Sets up what the tests need, then checks form and runs every test. Without root it runs what it
## can, lists what it left out, and fails.
test: setup check
	bash tests/run.sh

## Between two edits: formatting, lints, and the unit tests without the long ones. Under a minute
## once it has been built.
quick:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/models/Cargo.toml
	$(CARGO) clippy --profile quick --all-targets --quiet -- -D warnings
	$(CARGO) nextest run --cargo-profile quick --profile quick --lib --cargo-quiet \
	  --status-level fail --hide-progress-bar

## Formatting, lints and documentation, with warnings denied. Outside of tests nothing is unwrapped.
check:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/models/Cargo.toml
	$(CARGO) clippy --release --all-targets -- -D warnings
	$(CARGO) clippy --release --lib --bins -- -D clippy::unwrap_used
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --no-deps --quiet

## The models of the matcher under loom, under shuttle, and with parked threads. Then each step of
## the claim protocol is removed in turn, and a model must notice. Some minutes; LOOM_SECONDS=600
## and SHUTTLE_EXECUTIONS=1000000 look further.
models:
	bash tests/models/run.sh

## What takes hours: 4,000 simulated days, the models and `make fuzz` for longer, the soak and the
## stress run many times, licences, benchmarks. In parts of at most 40 minutes; a part that has
## passed for the same files is not run again. PARTS="days soak" runs only these.
long:
	bash tests/long.sh $(PARTS)

## Licences, banned crates and sources of the dependencies (needs cargo-deny).
deny:
	$(CARGO) deny --locked check bans licenses sources

## Known vulnerabilities in dependencies (needs cargo-deny and the network).
advisories:
	$(CARGO) deny --locked check advisories

## Gets what the tests need, where it is missing: crates, the real peers, nextest.
setup:
	@bash tests/setup.sh

## Runs the criterion benchmarks, and measures the memory of contacts that wait.
bench:
	$(CARGO) bench

## Counts the instructions of calls and of the matcher's operations (needs valgrind). Other users of
## the machine do not change these numbers.
instructions:
	bash benches/instructions.sh

FUZZ_CASES ?= 1000000
FUZZ_TESTS = binary(wire) or (binary(config) and test(/^mangled/)) \
  or test(/^(sdp|rtp)::tests/) or test(/^(sip::nonce|base::deadline|report::encode)::tests/)

## Random and damaged input to each reader: SIP, SDP, RTP, digest, configuration, the log. Some
## minutes. FUZZ_CASES=N sets the cases of a test, 1,000,000 without it. A failing case is shrunk
## and kept under proptest-regressions for the next run.
fuzz:
	PROPTEST_CASES=$(FUZZ_CASES) $(CARGO) nextest run --release --profile fuzz --no-fail-fast \
	  -E '$(FUZZ_TESTS)'

## Runs the load of docs/performance.md against configs/bench.toml (needs root, SIPp, two cores).
bench-load:
	$(CARGO) build --profile dist --bin hotline
	bash tests/load/run.sh

## Takes the pictures of README.md anew, in docs/images (needs Chromium and pngquant).
screenshots:
	$(CARGO) build --release
	bash docs/images/make.sh

## Removes all that was built.
clean:
	$(CARGO) clean
