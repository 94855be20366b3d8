#!/usr/bin/env bash
# crates.sh CRATE...: packs crates as they are published, and compiles what was packed, away from the repository.
#
# cargo would do that itself, but with a profile of its own, for which llama.cpp would be built once more.
set -euo pipefail
cd "$(dirname "$0")/../.."
place=${ZEROHOP_CACHE:?}/crates
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

cargo package --locked --quiet --no-verify --allow-dirty "${@/#/--package=}" 2> >(grep -v 'is not included in the published package$' >&2)
rm -rf "$place"
mkdir "$place"
{
    echo '[workspace]'
    echo 'resolver = "3"'
    echo 'members = ["zerohop*"]'
    echo '[patch.crates-io]'
    for crate in "$@"; do
        tar -xf "$CARGO_TARGET_DIR/package/$crate-$version.crate" -C "$place"
        echo "$crate = { path = \"$crate-$version\" }"
    done
} > "$place/Cargo.toml"
# The same versions of everything else.
cp Cargo.lock "$place"
cd "$place"
cargo check --quiet --release
echo "$# passed, 0 failed"
