//! Link arguments of the shared library and, on request, the C header.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target_os = env::var("CARGO_CFG_TARGET_OS").expect("cargo sets CARGO_CFG_TARGET_OS");
    if target_os == "linux" {
        // llama.cpp's symbols, and the `no_mangle` ones of other crates, are
        // nobody's business but ours.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
        // Before ABI 1.0 every release may break it, so a program runs only with
        // the very version it was linked with.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libzerohop.so.{}", env!("CARGO_PKG_VERSION"));
    }
    #[cfg(feature = "generate-header")]
    header::generate();
}

#[cfg(feature = "generate-header")]
mod header {
    use std::env;
    use std::path::Path;

    pub fn generate() {
        println!("cargo:rerun-if-changed=src");
        println!("cargo:rerun-if-changed=cbindgen.toml");
        println!("cargo:rerun-if-changed=../include/zerohop.h");

        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is readable");
        config.after_includes = Some(version_macros());
        cbindgen::Builder::new()
            .with_config(config)
            .with_crate(root)
            .generate()
            .expect("cbindgen understands the sources")
            .write_to_file(root.join("../include/zerohop.h"));
    }

    /// cbindgen cannot evaluate `env!`, so these come from here; a test compares
    /// them with what the library says.
    fn version_macros() -> String {
        let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("cargo sets the version's parts");
        format!(
            r#"
/** The version of this header. `zerohop_version()` tells that of the library. */
#define ZEROHOP_VERSION_MAJOR {major}
#define ZEROHOP_VERSION_MINOR {minor}
#define ZEROHOP_VERSION_PATCH {patch}
#define ZEROHOP_VERSION_TEXT "{text}"

/** The three numbers in one, for comparisons: 1.2.3 is 1002003. */
#define ZEROHOP_VERSION \
  (ZEROHOP_VERSION_MAJOR * 1000000 + ZEROHOP_VERSION_MINOR * 1000 + ZEROHOP_VERSION_PATCH)"#,
            major = part("MAJOR"),
            minor = part("MINOR"),
            patch = part("PATCH"),
            text = env!("CARGO_PKG_VERSION"),
        )
    }
}
