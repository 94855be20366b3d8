#!/bin/sh
# What cargo starts instead of rustc for the crates of this workspace (RUSTC_WORKSPACE_WRAPPER): compiles them
# with libFuzzer's counters, as cargo-fuzz does, and with checks of arithmetic. Cargo keeps what it builds so
# apart from what it builds without, and everything else, llama.cpp before all, is what the ordinary build made.
case " $* " in
    # Build scripts run in the build, without libFuzzer; the rest are cargo's questions.
    *' --crate-name build_script_'* | *' --crate-name ___ '*) exec "$@" ;;
    *' --crate-name '*) ;;
    *) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions=yes -Coverflow-checks=yes
