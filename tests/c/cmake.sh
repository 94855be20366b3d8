#!/usr/bin/env bash
# cmake.sh SOURCE BUILD FLAGS [OPTION...]: builds a CMake project with the zerohop in PREFIX. Called by the
# Makefile.
set -uo pipefail
source=$1 build=$2 flags=$3
shift 3
output=$(cmake -S "$source" -B "$build" -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_CXX_FLAGS="$flags" "$@" 2>&1 && cmake --build "$build" 2>&1) || {
    echo "$output"
    exit 1
}
