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
QWEN := qwen2.5-coder-0.5b-instruct-q4_k_m.gguf

# The C and C++ tests, against the library as installed.
C_TESTS = $(MAKE) --no-print-directory -C tests/c PREFIX="$(CURDIR)/build/prefix" LIB_DIR="$$lib" CC="$(CC)" CXX="$(CXX)"

# Which real models to fetch; targets narrow or widen it.
MODELS := smollm2 qwen minilm

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

# OpenMP's threads spin while they wait for each other. With several tests on two cores that costs
# far more than it saves.
.PHONY: test
test: export OMP_WAIT_POLICY := passive
test: models install-wheel types docs ## run all tests: Rust, C and C++, Python
	@$(ENV) cargo test $(CARGO_FLAGS)
	@$(MAKE) --no-print-directory install PREFIX=build/prefix
	@$(ENV) $(C_TESTS) test test-asan test-tsan
	@$(ENV) ZEROHOP_LIB_DIR="$$lib" "$$venv" -m pytest -q python/tests

.PHONY: accept
accept: MODELS := smollm2 qwen minilm gemma3
accept: export ZEROHOP_TEST_FULL := 1
accept: test ecosystem ## the same tests, with the slow cases, and those with other packages
	@$(ENV) $(C_TESTS) toolchains
	@if command -v valgrind > /dev/null; then \
		$(ENV) $(C_TESTS) valgrind; \
	else echo "Valgrind: not run, not installed"; fi
	@if cargo +nightly miri --version > /dev/null 2>&1; then $(MAKE) --no-print-directory miri; \
	else echo "Miri: not run, no nightly Rust has it"; fi

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

# The same tests with other seeds each time.
.PHONY: fuzz
fuzz: export ZEROHOP_TEST_FULL := 1
fuzz: models ## damage model files, templates and requests, and call in any order, for some minutes
	@$(ENV) export ZEROHOP_TEST_SEED="$$(date +%s)"; echo "ZEROHOP_TEST_SEED=$$ZEROHOP_TEST_SEED"; \
		cargo test $(CARGO_FLAGS) -p zerohop --test mutations --test fuzz --test sequences

.PHONY: soak
soak: export ZEROHOP_TEST_SOAK_SECONDS ?= 1800
soak: models ## let 32 callers do everything at once for half an hour, and watch memory
	@$(ENV) cargo test $(CARGO_FLAGS) -p zerohop --test soak -- --nocapture

.PHONY: lint
lint: setup ## check formats, lints, types and the generated header
	@$(ENV) cargo fmt --check
	@$(ENV) ruff check --quiet python tools tests examples benches
	@$(ENV) ruff format --quiet --check python tools tests examples benches \
		|| { echo "Python files need formatting: run \`ruff format\` on them" >&2; exit 1; }
	@$(ENV) mypy --no-error-summary
	@$(ENV) cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	@$(ENV) cargo clippy $(CARGO_FLAGS) --manifest-path ffi/header/Cargo.toml -- -D warnings
	@$(MAKE) --no-print-directory header-check abi-check

.PHONY: bench
bench: MODELS := qwen
bench: models ## measure against bare llama.cpp calls
	@$(ENV) cargo run $(CARGO_FLAGS) -p zerohop-bench --bin zerohop-bench -- "$$ZEROHOP_TEST_MODELS/$(QWEN)"
	@$(ENV) cargo run --quiet $(CARGO_FLAGS) -p zerohop-bench --bin prefix -- "$$ZEROHOP_TEST_MODELS/$(QWEN)"

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
lib: setup ## build libzerohop.so and libzerohop.a
	@$(ENV) cargo build $(CARGO_FLAGS) -p zerohop-ffi; \
		ln -sf libzerohop.so "$$lib/libzerohop.so.$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)"

PREFIX ?= /usr/local

.PHONY: install
install: lib ## install the C and C++ library into PREFIX (/usr/local)
	@$(ENV) ffi/package/install.sh "$$lib" "$(PREFIX)"

# Not repaired: maturin would bundle libgomp by rewriting cargo's own copy of the library, and the next
# build, finding that up to date, would fail on it. The wheel needs the system's libgomp.so.1.
.PHONY: wheel
wheel: setup ## build the Python wheel into dist/ (then: pip install dist/*.whl)
	@rm -rf dist
	@$(ENV) python tools/command.py
	@$(ENV) maturin build $(CARGO_FLAGS) --auditwheel skip --out dist

# The wheel goes into an environment of its own, as a user would have it.
.PHONY: install-wheel
install-wheel: wheel ## install the wheel into the environment of the tests
	@$(ENV) "$$venv" -m pip --disable-pip-version-check install --quiet --no-index --no-deps --force-reinstall dist/*.whl

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
