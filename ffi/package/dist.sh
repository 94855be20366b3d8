#!/usr/bin/env bash
# dist.sh LIB_DIR FOLDER: packs the C and C++ library into a tarball in FOLDER: a prefix that works wherever it
# is unpacked, with examples and notices.
set -euo pipefail
lib_dir=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
name=zerohop-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/$name
ffi/package/install.sh "$lib_dir" "$prefix"
# shellcheck disable=SC2016 # pkg-config's variable
sed -i 's|^prefix=.*|prefix=${pcfiledir}/../..|; s|'"$prefix"'|${prefix}|g' "$prefix"/lib/pkgconfig/*.pc
strip --strip-unneeded "$prefix"/lib/libzerohop.so.* "$prefix/lib/libzerohop_diffusion.so"
doc=$prefix/share/doc/zerohop
install -d "$doc/examples"/{c,cpp}
install -m 644 LICENSE-MIT LICENSE-APACHE THIRD-PARTY-NOTICES CHANGELOG.md ffi/package/README.md "$doc"
install -m 644 examples/c/{Makefile,*.[ch]} "$doc/examples/c"
install -m 644 examples/cpp/{CMakeLists.txt,*.cpp} "$doc/examples/cpp"

# The same files give the same tarball.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -C "$work" -c "$name" |
    gzip -9n > "$out/$name.tar.gz"
echo "$name.tar.gz: $(du -h "$out/$name.tar.gz" | cut -f1)"
