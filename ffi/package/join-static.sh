#!/usr/bin/env bash
# join-static.sh ARCHIVE HEADER OUT: makes cargo's static library fit for any program.
#
# Cargo's archive shows all of llama.cpp, ggml, llguidance and Rust's own library. Linked into a program
# that has any of these too, it would not link, or worse, would run one with the other's functions. So
# what the header's functions need becomes one object, in which every other symbol is local.
set -euo pipefail
archive=$1 header=$2 out=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CC:-cc}" -E -P -x c "$header" | grep -Eo '\bzerohop_[a-z0-9_]+\(' | tr -d '(' | sort -u > "$work/exports"
# C++'s inline functions come in groups of which a linker keeps one by name, also another program's: they
# are taken out of their groups first.
mapfile -t roots < <(sed 's/^/--undefined=/' "$work/exports")
ld -r --force-group-allocation --gc-sections "${roots[@]}" -o "$work/joined.o" "$archive"
# Variables that are to be one in a whole process (templates' constants) are a kind of their own, which
# only weak symbols are made local from.
readelf --wide --symbols "$work/joined.o" | awk '$5 == "UNIQUE" { print $8 }' > "$work/unique"
objcopy --weaken-symbols="$work/unique" "$work/joined.o" "$work/weak.o"
# The parts for compilers' use went stale by joining: what LLVM could optimise over, and its table of
# symbols by number.
objcopy --keep-global-symbols="$work/exports" --strip-debug --remove-section=.llvmbc \
    --remove-section=.llvmcmd --remove-section=.llvm_addrsig "$work/weak.o" "$work/zerohop.o"
rm -f "$out"
ar rc "$out" "$work/zerohop.o"

# A symbol table is the proof that it worked.
shown=$(readelf --wide --symbols "$out" | awk '$5 ~ /GLOBAL|WEAK|UNIQUE/ && $7 != "UND" { print $8 }' | sort -u)
diff <(echo "$shown") "$work/exports" > "$work/difference" || {
    echo "the static library shows other symbols than $header declares:" >&2
    cat "$work/difference" >&2
    exit 1
}
