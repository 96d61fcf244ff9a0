# What a newcomer needs: `make demo` and `make test`. The rest is for those who change things.

CARGO ?= cargo

.PHONY: demo test quick setup check models bench bench-load instructions fuzz screenshots clean

## Shows a small city at work on this machine's loopback; Ctrl-C ends it.
demo:
	$(CARGO) run --release -- demo

## Sets up what the tests need, then runs every one of them, and the checks of form. Without root it runs what it can, and fails.
test: setup check
	bash tests/run.sh

## Between two edits: formatting, lints, and the unit tests without the long ones. Under a minute once it has been built.
quick:
	$(CARGO) fmt --check
	$(CARGO) clippy --profile quick --all-targets --quiet -- -D warnings
	$(CARGO) nextest run --cargo-profile quick --profile quick --lib --cargo-quiet --status-level fail --hide-progress-bar

## Formatting, lints and documentation, with warnings denied.
check:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/models/Cargo.toml
	$(CARGO) clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --no-deps --quiet

## Models of the matcher: loom over the claim, shuttle over the whole, threads parked in the middle of each move; then each step of the
## claim taken out in turn, which one of them must notice. Some minutes.
models:
	bash tests/models/run.sh

## Installs the real peers that the tests talk to, where they are missing, and says so.
setup:
	@bash tests/setup.sh

## Runs the criterion benchmarks.
bench:
	$(CARGO) bench

## Counts the instructions of calls and of the matcher's moves (needs valgrind): for machines on which times say little.
instructions:
	bash benches/instructions.sh

## Random and damaged input to everything that reads from outside: SIP, SDP, RTP, digest, configuration, the log. Some minutes; FUZZ_CASES=N for
## another number of cases a test than 50,000. What fails is shrunk, and kept under proptest-regressions for the next run.
fuzz:
	PROPTEST_CASES=$${FUZZ_CASES:-1000000} $(CARGO) nextest run --release --profile fuzz --no-fail-fast \
	  -E 'binary(wire) or (binary(config) and test(/^mangled/)) or test(/^(sdp|rtp)::tests/) or test(/^(sip::nonce|base::deadline|report::encode)::tests/)'

## Runs the referee's load against configs/bench.toml (needs root, SIPp and two cores).
bench-load:
	$(CARGO) build --profile dist --bin hotline
	bash tests/load/run.sh

## Makes the pictures of README.md anew, in docs/images (needs Chromium and pngquant).
screenshots:
	$(CARGO) build --release
	bash docs/images/make.sh

clean:
	$(CARGO) clean
