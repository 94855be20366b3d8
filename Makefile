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

# Which real models to fetch; targets narrow or widen it.
MODELS := smollm2 qwen

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

.PHONY: demo
demo: MODELS := smollm2
demo: models lib install ## run the examples in Python, C and Rust
	@$(ENV) "$$venv" examples/python/demo.py "$$ZEROHOP_TEST_MODELS/$(SMOLLM2)"
	@$(ENV) mkdir -p build; \
		$(CC) -O2 -Iinclude examples/c/chat.c -o build/chat -L"$$lib" -lzerohop -Wl,-rpath,"$$lib"; \
		build/chat "$$ZEROHOP_TEST_MODELS/$(SMOLLM2)"
	@$(ENV) cargo run --quiet $(CARGO_FLAGS) -p zerohop --example chat -- "$$ZEROHOP_TEST_MODELS/$(SMOLLM2)"

# OpenMP's threads spin while they wait for each other. With several tests on two cores that costs
# far more than it saves.
.PHONY: test
test: export OMP_WAIT_POLICY := passive
test: models lib install ## run all tests: Rust, C and C++, Python
	@$(ENV) cargo test $(CARGO_FLAGS)
	@$(ENV) $(MAKE) --no-print-directory -C tests/c LIB_DIR="$$lib" CC="$(CC)" CXX="$(CXX)" test test-asan
	@$(ENV) ZEROHOP_LIB_DIR="$$lib" "$$venv" -m pytest -q python/tests

.PHONY: accept
accept: MODELS := smollm2 qwen gemma3
accept: export ZEROHOP_TEST_FULL := 1
accept: test ## the same tests, with the slow cases

.PHONY: lint
lint: setup ## check formats, lints, types and the generated header
	@$(ENV) cargo fmt --check
	@$(ENV) ruff check --quiet python tools tests examples
	@$(ENV) ruff format --quiet --check python tools tests examples \
		|| { echo "Python files need formatting: run \`ruff format\` on them" >&2; exit 1; }
	@$(ENV) mypy --no-error-summary
	@$(ENV) cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	@$(ENV) cargo clippy $(CARGO_FLAGS) --manifest-path ffi/header/Cargo.toml -- -D warnings
	@$(MAKE) --no-print-directory header-check

.PHONY: bench
bench: MODELS := qwen
bench: models ## measure against bare llama.cpp calls
	@$(ENV) cargo run $(CARGO_FLAGS) -p zerohop-bench -- "$$ZEROHOP_TEST_MODELS/$(QWEN)"

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

# Not repaired: maturin would bundle libgomp by rewriting cargo's own copy of the library, and the next
# build, finding that up to date, would fail on it. The wheel needs the system's libgomp.so.1.
.PHONY: wheel
wheel: setup ## build the Python wheel into dist/ (then: pip install dist/*.whl)
	@rm -rf dist
	@$(ENV) maturin build $(CARGO_FLAGS) --auditwheel skip --out dist

# The wheel goes into an environment of its own, as a user would have it.
.PHONY: install
install: wheel ## install the wheel into the environment of the tests
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

.PHONY: clean
clean: ## remove what was built in this clone; the cache folder stays
	@rm -rf build dist target tests/c/build python/zerohop/_native*.so .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
