//! Compiles the counters of the C++ code.

fn main() {
    println!("cargo:rerun-if-changed=counters.c");
    println!("cargo:rerun-if-changed=build.rs");
    cc::Build::new().file("counters.c").compile("zerohop_fuzz_counters");
    // libFuzzer's own function of this name ends the process: it no longer counts so.
    println!("cargo:rustc-link-arg-bins=-Wl,--wrap=__sanitizer_cov_trace_pc");
}
