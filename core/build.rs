//! Compiles the C++ seam in `native/` against the llama.cpp that llama-cpp-sys-2
//! has built.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=native");
    println!("cargo:rerun-if-changed=build.rs");

    let source = llama_cpp_source();
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .files(["native/context.cpp", "native/templates.cpp", "native/chat.cpp", "native/kernels.cpp"])
        .include("native")
        .include(source.join("common"))
        .include(source.join("include"))
        .include(source.join("ggml/include"))
        .include(source.join("ggml/src"))
        .include(source.join("ggml/src/ggml-cpu"))
        .include(source.join("vendor"))
        // The headers are llama.cpp's; their warnings are not ours to fix.
        .warnings(false)
        .compile("zerohop_native");
}

/// The llama.cpp tree in the package directory of llama-cpp-sys-2.
///
/// The sys crate tells its dependents only where its `CMake` package files lie, so
/// the source comes from the `CMake` cache beside them.
fn llama_cpp_source() -> PathBuf {
    let cmake_dir =
        env::var("DEP_LLAMA_GGML_CMAKE_DIR").expect("llama-cpp-sys-2 sets DEP_LLAMA_GGML_CMAKE_DIR for its dependents");
    let out_dir = Path::new(&cmake_dir).ancestors().nth(2).expect("the `CMake` package files lie in OUT_DIR/lib/cmake");
    let cache_file = out_dir.join("build/CMakeCache.txt");
    let cache =
        fs::read_to_string(&cache_file).unwrap_or_else(|error| panic!("cannot read {}: {error}", cache_file.display()));
    cache
        .lines()
        .find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="))
        .map_or_else(|| panic!("{} does not name its source directory", cache_file.display()), PathBuf::from)
}
