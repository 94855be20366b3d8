#!/usr/bin/env bash
# Runs the test programs of the given variants and sums up. Called by the Makefile.
#
# RUNNER goes before each program (valgrind); TESTS narrows the choice.
set -uo pipefail
cd "$(dirname "$0")"

export ZEROHOP_TEST_MODELS="${ZEROHOP_TEST_MODELS:-${ZEROHOP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zerohop}/models}"
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

run_program() {
    local variant=$1 name=$2 output status counts
    # shellcheck disable=SC2086 # RUNNER is a command with arguments
    output=$(timeout 600 ${RUNNER:-} "$BUILD/$variant/$name" 2>&1)
    status=$?
    counts=$(grep -Ex '[0-9]+ [0-9]+' <<<"$output" | tail -n 1)
    read -r ok bad <<<"${counts:-0 0}"
    # A program that ended otherwise than by its count has failed too.
    if [[ -z $counts || ($status -ne 0 && $bad -eq 0) ]]; then
        bad=$((bad + 1))
    fi
    passed=$((passed + ok)) failed=$((failed + bad))
    if ((bad > 0)); then
        printf '%s %s ended with status %d\n%s\n' "$variant" "$name" "$status" "$output"
    fi
}

# An example that must print something and end well.
run_example() {
    local name=$1 part=$2 output
    shift 2
    # shellcheck disable=SC2086
    output=$(timeout 600 ${RUNNER:-} "$@" 2>&1)
    if [[ $? -eq 0 && $output == *$part* ]]; then
        report "$name" ''
    else
        report "$name" "$output"
    fi
}

for variant in "$@"; do
    tests=${TESTS:-$(cd "$BUILD/$variant" && echo test_*)}
    for name in $tests; do
        run_program "$variant" "$name"
    done
    if [[ -z ${TESTS:-} ]]; then
        tiny="$ZEROHOP_TEST_MODELS/tiny/tiny-llama.gguf"
        smollm2="$ZEROHOP_TEST_MODELS/smollm2-135m-instruct-q4_1.gguf"
        run_example "$variant: the header's program" '200 {' "$BUILD/$variant/header_program" "$tiny"
        run_example "$variant: examples/c/chat.c" 'Paris' "$BUILD/$variant/chat" "$smollm2" 'What is the capital of "France"? Answer in one sentence.'
    fi
done

# What the shared library exports is what the header declares: nothing of llama.cpp's, nothing forgotten.
declared=$("${CC:-cc}" -E -P -x c "${INCLUDE_DIR:-../../include}/zerohop.h" | grep -Eo '\bzerohop_[a-z0-9_]+\(' | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$ZEROHOP_LIBRARY" | awk '{print $3}' | sort -u)
report 'exports are what the header declares' "$(diff <(echo "$declared") <(echo "$exported"))"

echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
