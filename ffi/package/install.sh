#!/usr/bin/env bash
# install.sh LIB_DIR PREFIX: installs headers, libraries, and what pkg-config and CMake read. LIB_DIR is
# where cargo put the libraries. DESTDIR goes before PREFIX, for those who build packages.
set -euo pipefail
lib_dir=$(realpath "$1") prefix=$(realpath --canonicalize-missing "$2")
cd "$(dirname "$0")/../.."
root=${DESTDIR:-}$prefix
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# Stated once, in the header.
static_libs=$(sed -n 's/^ \*   static:  cc program.c libzerohop.a //p' include/zerohop.h)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ffi/package/join-static.sh "$lib_dir/libzerohop.a" include/zerohop.h "$work/libzerohop.a"

# What is there already stays as it is (-C), so that nothing is built anew without need.
install -d "$root"/{include,lib/pkgconfig,lib/cmake/zerohop}
install -C -m 644 include/zerohop.h include/zerohop.hpp "$root/include"
install -C -m 644 "$work/libzerohop.a" "$root/lib"
install -C -m 755 "$lib_dir/libzerohop.so" "$root/lib/libzerohop.so.$version"
ln -sf "libzerohop.so.$version" "$root/lib/libzerohop.so"
# Loaded by the library beside it, when it makes the first image.
install -C -m 755 "$lib_dir/libzerohop_diffusion.so" "$root/lib"

# fill TEMPLATE FOLDER SEPARATOR: SEPARATOR stands between the names of libraries.
fill() {
    local libs=${static_libs// /$3}
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" -e "s|@MAJOR_MINOR@|${version%.*}|g" \
        -e "s|@STATIC_LIBS@|$libs|g" "ffi/package/$1.in" > "$root/lib/$2/$1"
}
fill zerohop.pc pkgconfig ' '
fill zerohop-static.pc pkgconfig ' '
fill zerohop-config.cmake cmake/zerohop ';'
fill zerohop-config-version.cmake cmake/zerohop ';'
