#!/usr/bin/env bash
# bare.sh wheel WHEEL | bare.sh c TARBALL: tries what is to be published as somebody has it who has no build
# tools: with another home, and nothing on PATH but Python, or gcc and what it calls.
set -euo pipefail
kind=$1 artifact=$(realpath "$2")
model="${ZEROHOP_TEST_MODELS:?}/smollm2-135m-instruct-q4_1.gguf"
question='What is the capital of France? Answer in one sentence.'
passed=0 failed=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/home"

# bare COMMAND...: runs it without anything of this environment.
bare() { (cd "$work" && env -i HOME="$work/home" PATH="$work/bin" LANG=C.UTF-8 "$@" 2>&1); }

# says PART COMMAND...: it must succeed and print PART.
says() {
    local part=$1 output status=0
    shift
    output=$(bare "$@") || status=$?
    if [[ $status -eq 0 && $output == *"$part"* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n(%d, not: %s) %s\n' "$*" "$status" "$part" "$output"
    fi
}

# none NAME...: these must not be found, or the trial says nothing.
none() {
    local name
    for name in "$@"; do
        if bare "$work/bin/sh" -c "command -v $name" > /dev/null; then
            echo "$name is there: this is no bare environment"
            exit 1
        fi
    done
}

# interpreter VERSION: its path, if it is installed, on PATH or by pyenv. Of a virtual environment, what that was
# made with.
interpreter() {
    local python
    for python in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python; do
        "$python" -c 'import sys; print(sys._base_executable)' 2> /dev/null && return
    done
    return 0
}

try_wheel() {
    local version python
    ln -s "$(command -v sh)" "$work/bin/sh"
    none cmake ninja clang cargo rustc cc c++ gcc g++ maturin
    for version in 3.11 3.12 3.13 3.14; do
        python=$(interpreter "$version")
        if [[ -z $python ]]; then
            echo "Python $version: not run, not installed"
            continue
        fi
        says '' "$python" -m venv "$work/venv-$version"
        says '' "$work/venv-$version/bin/pip" install --quiet --no-index --disable-pip-version-check "$artifact"
        says Paris "$work/venv-$version/bin/python" -c "
import sys, zerohop
for isolation in [None, 'process']:
    with zerohop.Engine(sys.argv[1], isolation=isolation) as engine:
        messages = [{'role': 'user', 'content': sys.argv[2]}]
        reply = engine.chat.completions.create(messages=messages, temperature=0)
        print(isolation, reply.choices[0].message.content)
        assert 'Paris' in reply.choices[0].message.content
" "$model" "$question"
        says Paris "$work/venv-$version/bin/zerohop" run "$model" "$question" --temperature 0
    done
}

try_c() {
    local tool prefix
    for tool in sh gcc as ld; do
        ln -s "$(command -v $tool)" "$work/bin/$tool"
    done
    none cmake ninja clang cargo rustc c++ g++ python3 pkg-config make
    tar -xf "$artifact" -C "$work"
    prefix=$(echo "$work"/zerohop-*)
    mkdir "$work/build"
    local flags=(-std=c11 -D_GNU_SOURCE -pthread -I"$prefix/include" "$prefix/share/doc/zerohop/examples/c/chat.c")
    says '' gcc "${flags[@]}" -o "$work/build/shared" -L"$prefix/lib" -lzerohop -Wl,-rpath,"$prefix/lib"
    says Paris "$work/build/shared" "$model"
    # What the header says about linking it.
    local static
    static=$(sed -n 's/^ \*   static:  cc program.c libzerohop.a //p' "$prefix/include/zerohop.h")
    # shellcheck disable=SC2086 # several arguments
    says '' gcc "${flags[@]}" -o "$work/build/static" "$prefix/lib/libzerohop.a" $static
    says Paris "$work/build/static" "$model"
    for tool in THIRD-PARTY-NOTICES LICENSE-MIT LICENSE-APACHE; do
        says zerohop sh -c "exec < '$prefix/share/doc/zerohop/$tool' && echo zerohop"
    done
    # The package files find the library wherever it was unpacked. Their programs are not bare.
    says "$prefix" "$(command -v pkg-config)" --with-path="$prefix/lib/pkgconfig" --libs zerohop
}

"try_$kind"
echo "$passed passed, $failed failed"
((failed == 0))
