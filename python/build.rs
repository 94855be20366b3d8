//! Link arguments of the extension module.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // llama.cpp's symbols, and the `no_mangle` ones of other crates, must not
        // meet those of another library in the same interpreter.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    }
}
