#!/usr/bin/env bash
# run.sh SECONDS CORPUS [OPTION...]: builds the fuzz targets and runs each for so long, with libFuzzer's options.
# `make fuzz` and `make fuzz-short` call it, with the variables of tools/buildenv.py. What is found lies in
# build/fuzz; inputs that reached something new are kept in the folder CORPUS.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1 corpus=$2
shift 2
targets=(gguf requests forms templates calls)

python fuzz/seeds.py "$ZEROHOP_CACHE/fuzz/seeds"
ZEROHOP_FUZZ=1 RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/rustc.sh" cargo build --release --locked -p zerohop-fuzz
mkdir -p build/fuzz
failed=()
for target in "${targets[@]}"; do
    mkdir -p "$corpus/$target"
    log=build/fuzz/$target.log
    # No input may take 30 seconds, on a busy machine, nor all of them 2 GiB.
    if "$CARGO_TARGET_DIR/release/$target" "$corpus/$target" "$ZEROHOP_CACHE/fuzz/seeds/$target" \
        -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -artifact_prefix="build/fuzz/$target-" \
        "$@" > "$log" 2>&1; then
        echo "$target: $(grep -a '^#[0-9]' "$log" | tail -n 1)"
    else
        failed+=("$target")
        tail -n 60 "$log" >&2
    fi
done
if ((${#failed[@]})); then
    echo "fuzz targets that found something (build/fuzz has the inputs and logs): ${failed[*]}" >&2
    exit 1
fi
