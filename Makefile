# What a newcomer needs: `make demo` and `make test`. The rest is for those who change things.

CARGO ?= cargo

.PHONY: demo test setup check bench bench-load clean

## Shows a small city at work on this machine's loopback; Ctrl-C ends it.
demo:
	$(CARGO) run --release -- demo

## Sets up what the tests need, then runs every one of them, and the checks of form. Without root it runs what it can, and fails.
test: setup check
	bash tests/run.sh

## Formatting, lints and documentation, with warnings denied.
check:
	$(CARGO) fmt --check
	$(CARGO) clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --no-deps --quiet

## Installs the real peers that the tests talk to, where they are missing, and says so.
setup:
	@bash tests/setup.sh

## Runs the criterion benchmarks.
bench:
	$(CARGO) bench

## Runs the referee's load against configs/bench.toml (needs root, SIPp and two cores).
bench-load:
	$(CARGO) build --profile dist --bin hotline
	bash tests/load/run.sh

clean:
	$(CARGO) clean
