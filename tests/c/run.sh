#!/usr/bin/env bash
# Runs the test programs of the given variants and sums up. Called by the Makefile.
#
# RUNNER goes before each program (valgrind); TESTS narrows the choice.
set -uo pipefail
cd "$(dirname "$0")"

export ZEROHOP_TEST_MODELS="${ZEROHOP_TEST_MODELS:-${ZEROHOP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zerohop}/models}"
smollm2="$ZEROHOP_TEST_MODELS/smollm2-135m-instruct-q4_1.gguf"
minilm="$ZEROHOP_TEST_MODELS/all-minilm-l6-v2-f16.gguf"
BUILD=${BUILD:-build} passed=0 failed=0

# report NAME OUTPUT: for what is one test and has failed if OUTPUT is not empty.
report() {
    if [[ -z $2 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n%s\n' "$1" "$2"
    fi
}

# run_program PROGRAM [ARGUMENT...]: its last line says how many of its tests passed and failed.
run_program() {
    local output status counts
    # shellcheck disable=SC2086 # RUNNER is a command with arguments
    output=$(timeout "${TIMEOUT:-600}" ${RUNNER:-} "$@" 2>&1)
    status=$?
    counts=$(grep -Ex '[0-9]+ [0-9]+' <<<"$output" | tail -n 1)
    read -r ok bad <<<"${counts:-0 0}"
    # A program that ended otherwise than by its count has failed too.
    if [[ -z $counts || ($status -ne 0 && $bad -eq 0) ]]; then
        bad=$((bad + 1))
    fi
    passed=$((passed + ok)) failed=$((failed + bad))
    if ((bad > 0)); then
        printf '%s ended with status %d\n%s\n' "$*" "$status" "$output"
    fi
}

# run_example PART PROGRAM [ARGUMENT...]: must print PART and end well.
run_example() {
    local part=$1 output
    shift
    output=$(timeout 600 "$@" 2>&1)
    if [[ $? -eq 0 && $output == *$part* ]]; then
        report "$*" ''
    else
        report "$*" "$output (not: $part)"
    fi
}

run_variant() {
    local name
    # A program that has the engine in it would look beside itself.
    local -x ZEROHOP_DIFFUSION_LIB
    if [[ $1 == static-* ]]; then
        ZEROHOP_DIFFUSION_LIB="$PREFIX/lib/libzerohop_diffusion.so"
    else
        unset ZEROHOP_DIFFUSION_LIB
    fi
    for name in ${TESTS:-$(cd "$BUILD/$1" && echo test_*)}; do
        run_program "$BUILD/$1/$name"
    done
    for name in "$BUILD/$1"/{header_cpp,readme_c,readme_cpp}; do
        if [[ -x $name && -z ${TESTS:-} ]]; then
            run_example 'Paris' "$name" "$smollm2"
        fi
    done
    if [[ -x $BUILD/$1/header_c && -z ${TESTS:-} ]]; then
        run_example '200 {' "$BUILD/$1/header_c" "$smollm2"
    fi
    if [[ $1 == asan-c11 ]]; then
        run_program "$BUILD/$1/fuzz" 10 1
    fi
}

run_examples() {
    local folder
    for folder in "$BUILD"/examples/{c,cpp}-{shared,static}; do
        run_example 'Paris' "$folder/chat" "$smollm2"
        run_example 'Paris' "$folder/stream" "$smollm2"
        run_example 'the schema holds: {"name": "' "$folder/schema" "$smollm2"
        run_example 'the model calls get_weather({"city": "Paris"})' "$folder/tools" "$smollm2"
        run_example 'ended with ZEROHOP_OK' "$folder/event_loop" "$smollm2"
        run_example 'ZEROHOP_CANCELLED' "$folder/cancel" "$smollm2"
        run_example 'best: Water boils at 100 degrees' "$folder/search" "$minilm" 'How hot is boiling water?'
    done
    for folder in {shared,static}_{c,cpp}; do
        run_example 'Paris' "$BUILD/examples/readme/$folder" "$smollm2"
    done
    run_example 'Paris' python3 ../../examples/ctypes/chat.py "$PREFIX/lib/libzerohop.so" "$smollm2"
    # Text that needs escapes.
    run_example 'Paris' "$BUILD/examples/c-shared/stream" "$smollm2" 'What is the capital of "France"?'
}

# What the libraries show is what the header declares: nothing of llama.cpp's, nothing forgotten.
check_exports() {
    local declared shared static
    declared=$("${CC:-cc}" -E -P -x c "$PREFIX/include/zerohop.h" | grep -Eo '\bzerohop_[a-z0-9_]+\(' | tr -d '(' | sort -u)
    shared=$(nm -D --defined-only "$PREFIX/lib/libzerohop.so" | awk '{print $3}' | sort -u)
    static=$(readelf --wide --symbols "$PREFIX/lib/libzerohop.a" | awk '$5 ~ /GLOBAL|WEAK|UNIQUE/ && $7 != "UND" {print $8}' | sort -u)
    report 'the shared library shows what the header declares' "$(diff <(echo "$declared") <(echo "$shared"))"
    report 'the static library shows what the header declares' "$(diff <(echo "$declared") <(echo "$static"))"
    local soname
    soname=$(readelf -d "$PREFIX/lib/libzerohop.so" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')
    report 'the soname carries the version' "$(diff <(echo "libzerohop.so.$ZEROHOP_CARGO_VERSION") <(echo "$soname"))"
    report 'there is one ggml' "$(diff <(echo 1) <(nm "$PREFIX/lib/libzerohop.so" | grep -c ' ggml_init$'))"
    report 'the library stays when it is closed' "$(readelf -d "$PREFIX/lib/libzerohop.so" | grep -q NODELETE || echo 'it may be unmapped')"
}

case $1 in
fuzz)
    # The program keeps an eye on the time itself.
    TIMEOUT=$(($2 + 300)) run_program "$BUILD/asan-c11/fuzz" "$2" "$3"
    ;;
*)
    for variant in "$@"; do
        case $variant in
        side)
            run_program "$BUILD/side/shared"
            run_program "$BUILD/side/static"
            ;;
        examples) run_examples ;;
        exports) check_exports ;;
        *) run_variant "$variant" ;;
        esac
    done
    ;;
esac

echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
