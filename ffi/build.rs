//! Link arguments of the shared library.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // llama.cpp's symbols, and the `no_mangle` ones of other crates, are
        // nobody's business but ours.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
        // Computing threads sleep in its code until the process ends, so that `dlclose` must not
        // unmap it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // Before ABI 1.0 every release may break it, so a program runs only with
        // the very version it was linked with.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libzerohop.so.{}", env!("CARGO_PKG_VERSION"));
    }
}
