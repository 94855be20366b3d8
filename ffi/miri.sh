#!/usr/bin/env bash
# miri.sh: the tests of this crate's pointers and threads under Miri, which needs a nightly Rust with it.
#
# Miri wants every crate built its own way, and would have llama-cpp-sys-2's build script build llama.cpp once
# more; so cargo is told what that script found out when it last ran. What calls llama.cpp cannot run there.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(dirname "$(ls -td "${CARGO_TARGET_DIR:?}"/release/build/llama-cpp-sys-2-*/out/bindings.rs | head -n 1)")
config=$(mktemp --suffix=.toml)
trap 'rm -f "$config"' EXIT
host=$(rustc -vV | sed -n 's/^host: //p')
cat > "$config" <<TOML
[target.$host.llama]
ggml_cmake_dir = "$out/lib/cmake"
[target.$host.llama.rustc-env]
OUT_DIR = "$out"
TOML
export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/miri MIRIFLAGS=-Zmiri-disable-isolation
cargo +nightly miri test --quiet --locked -p zerohop-ffi --config "$config" -- \
    --skip the_text_is_that_of_the_core --skip an_error_keeps_what_the_core_said
