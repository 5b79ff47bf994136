# Two commands matter: `make demo` and `make test`. Each does all of its own set-up.
SHELL := /bin/bash
CARGO ?= cargo
PROFILE ?= release
CACHE := $(CURDIR)/.cache

export FACIALADS_MODELS := $(CACHE)/models
# The one with CUDA where `facialads models install --gpu` has put it.
ORT_DYLIB_PATH ?= $(or $(wildcard $(CACHE)/lib/onnxruntime-gpu/libonnxruntime.so),$(CACHE)/lib/libonnxruntime.so)
export ORT_DYLIB_PATH

.PHONY: setup demo test bench eval soak lint test-v1_24 doctor clean

setup: ## Everything that building and running needs; quiet when nothing is missing.
	@PROFILE=$(PROFILE) scripts/setup.sh

demo: setup ## One pipeline: consented audience -> decision -> splice -> report, in out/.
	@demo/run.sh

test: ## All tests, on the debug build. Needs no GPU and, after set-up, no network.
	@PROFILE=dev scripts/setup.sh
	@scripts/test.sh

bench: setup ## Speed of each element against bare inference on the same frames, in one run.
	@scripts/bench.sh

eval: setup ## Quality against labels: out/eval/*.json, the measured part of models/cards/*.md and of docs/privacy.md.
	@scripts/eval.sh

soak: setup ## Long runs: memory and latency over hours of media.
	@scripts/soak.sh

test-v1_24: ## The feature v1_24 (GStreamer 1.24 and later) in a Debian 13 root, which it makes. Needs root.
	@PROFILE=dev scripts/setup.sh
	@scripts/debian13.sh

lint:
	@$(CARGO) fmt --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings

doctor: setup
	@GST_PLUGIN_PATH=$(CURDIR)/target/release target/release/facialads doctor

clean: ## Removes what was built and made, keeps downloads.
	@$(CARGO) clean
	@rm -rf out
