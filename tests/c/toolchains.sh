#!/usr/bin/env bash
# toolchains.sh: the checks that need compilers and languages beyond those that are given. Called by the
# Makefile for `make accept`; nothing here needs root.
#
# clang and Go come from Debian's packages, unpacked into the cache folder, unless they are installed; Node must
# be there with npm. What cannot be had is said, and is no failure: it is the machine that lacks it.
set -uo pipefail
cd "$(dirname "$0")"
cache="${ZEROHOP_CACHE:?}/toolchains"
smollm2="${ZEROHOP_TEST_MODELS:?}/smollm2-135m-instruct-q4_1.gguf"
export LD_LIBRARY_PATH="$PREFIX/lib"
failed=0

# unpack FOLDER PACKAGE...: downloads Debian packages and unpacks them, once.
unpack() {
    local folder="$cache/$1"
    shift
    [[ -e $folder/done ]] && return
    command -v apt-get dpkg > /dev/null || return
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && apt-get download "$@" && for package in *.deb; do dpkg -x "$package" . || exit; done) \
        > /dev/null 2>&1 && rm -f "$folder"/*.deb && touch "$folder/done"
}

# report NAME STATUS OUTPUT
report() {
    if [[ $2 -eq 0 ]]; then
        echo "$1: passed"
    else
        echo "$1: FAILED"
        echo "$3"
        failed=1
    fi
}

# Every source, with clang's warnings.
check_clang() {
    local clang output status=0 file
    if command -v clang > /dev/null; then
        clang=$(command -v clang)
    elif unpack clang clang-14 libclang-cpp14 libclang-common-14-dev libllvm14 libclang1-14; then
        clang=$cache/clang/usr/lib/llvm-14/bin/clang
        local libraries=$cache/clang/usr/lib/x86_64-linux-gnu:$cache/clang/usr/lib/llvm-14/lib
    else
        echo "clang: not run, neither installed nor among the packages"
        return
    fi
    compile() {
        LD_LIBRARY_PATH="${libraries:-}" "$clang" "$@" -Wall -Wextra -Wpedantic -Werror -pthread -D_GNU_SOURCE \
            -I"$PREFIX/include" -I. -fsyntax-only 2>&1
    }
    output=$(
        for file in test_*.c fuzz.c ../../examples/c/*.c; do
            compile -std=c11 -x c "$file" || exit 1
        done
        for file in test_*.c; do
            compile -std=c++17 -x c++ "$file" || exit 1
        done
        for file in test_*.cpp ../../examples/cpp/*.cpp; do
            compile -std=c++17 -x c++ "$file" && compile -std=c++20 -x c++ "$file" || exit 1
        done
    )
    status=$?
    report clang "$status" "$output"
}

# run NAME COMMAND...: an example that answers.
run() {
    local name=$1 output status
    shift
    output=$("$@" 2>&1)
    status=$?
    [[ $output == *Paris* ]] || status=1
    report "$name" "$status" "$output"
}

check_go() {
    local go goroot=
    if command -v go > /dev/null; then
        go=$(command -v go)
    elif unpack go golang-1.19-go golang-1.19-src; then
        goroot=$cache/go/usr/lib/go-1.19 go=$cache/go/usr/lib/go-1.19/bin/go
    else
        echo "Go: not run, neither installed nor among the packages"
        return
    fi
    local output
    # Go does not see that a header has changed, but that a flag has.
    local header
    header=$(cksum < ../../include/zerohop.h | cut -d ' ' -f 1)
    output=$(GOROOT=$goroot GOCACHE="$cache/go-cache" GO111MODULE=off CGO_ENABLED=1 \
        CGO_CFLAGS="-g -O2 ${CGO_CFLAGS:-} -DZEROHOP_HEADER=$header" \
        "$go" build -o "$cache/chat-go" ../../examples/go/chat.go 2>&1)
    report 'Go builds' $? "$output"
    run Go "$cache/chat-go" "$smollm2"
}

check_node() {
    if ! command -v node npm > /dev/null; then
        echo "Node: not run, not installed"
        return
    fi
    mkdir -p "$cache/node"
    local output
    if ! output=$(cd "$cache/node" && npm install --silent --no-audit --no-fund koffi@3.3.4 2>&1); then
        echo "Node: not run, koffi could not be installed: $output"
        return
    fi
    NODE_PATH="$cache/node/node_modules" run Node node ../../examples/node/chat.js "$PREFIX/lib/libzerohop.so" "$smollm2"
}

check_clang
check_go
check_node
exit $failed
