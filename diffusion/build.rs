//! Compiles stable-diffusion.cpp, from the sources in the package diffusion-rs-sys and with the changes in
//! [`CHANGES`], and the interface in `native/`.

#[path = "../core/package_folder.rs"]
mod package_folder;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What becomes of stable-diffusion.cpp: file, text, how often it occurs, and what it becomes.
const CHANGES: [(&str, &str, usize, &str); 12] = [
    // Two models compute on two threads: what they report goes to the request of their own.
    (
        "core/util.cpp",
        "static sd_preview_cb_t sd_preview_cb = nullptr;",
        1,
        "static thread_local sd_preview_cb_t sd_preview_cb = nullptr;",
    ),
    ("core/util.cpp", "static void* sd_preview_cb_data ", 1, "static thread_local void* sd_preview_cb_data "),
    ("core/util.cpp", "preview_t sd_preview_mode ", 1, "static thread_local preview_t sd_preview_mode "),
    ("core/util.cpp", "    static char log_buffer", 1, "    static thread_local char log_buffer"),
    // The host's environment is the host's.
    ("core/util.cpp", "std::getenv(\"SD_MMAP_FLAGS\")", 1, "static_cast<const char *>(nullptr)"),
    // A preview takes as long as an image's decoding, so not each step has one.
    ("core/util.cpp", "    return sd_preview_denoised;\n", 1, "    return zerohop::preview_wanted;\n"),
    // What may end the sampler; the other reports of progress come while other threads run.
    (
        "stable-diffusion.cpp",
        "            pretty_progress(showstep, (int)total_steps, step_seconds);\n",
        1,
        "            zerohop::step_done(showstep, (int)total_steps);\n",
    ),
    // A UNet without its text encoder is one already: where the encoder's tensors are sorted in depends on that.
    (
        "stable-diffusion.cpp",
        "        bool is_unet = sd_version_is_unet(model_loader.get_sd_version());\n",
        1,
        "        bool is_unet = sd_version_is_unet(model_loader.get_sd_version());
        for (const auto& [name, tensor_storage] : model_loader.get_tensor_storage_map()) {
            is_unet = is_unet || starts_with(name, \"model.diffusion_model.input_blocks.\");
        }\n",
    ),
    // An exception on a thread that reads weights would end the process, and nothing is printed.
    (
        "model_loader.cpp",
        "            workers.emplace_back([&, file_path, is_zip]() {\n",
        1,
        "            workers.emplace_back([&, file_path, is_zip]() { zerohop::read_weights(failed, [&]() {\n",
    ),
    (
        "model_loader.cpp",
        "                if (zip != nullptr) {\n                    zip_close(zip);\n                }\n            });\n",
        1,
        "                if (zip != nullptr) {\n                    zip_close(zip);\n                }\n            }); });\n",
    ),
    ("model_loader.cpp", "            printf(\"\\n\");\n", 1, ""),
    (
        "core/tensor.hpp",
        "        std::fprintf(stderr, \"sd::Tensor error: %s\\n\", message.c_str());\n        std::fflush(stderr);\n",
        1,
        "",
    ),
];

/// Files that look at `native/hooks.hpp`.
const HOOKED: [&str; 3] = ["core/util.cpp", "stable-diffusion.cpp", "model_loader.cpp"];

/// The vocabularies that `native/vocab.cpp` has.
const VOCABULARIES: [&str; 4] = ["vocab.h", "clip_merges.hpp", "qwen_merges.hpp", "t5.hpp"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../core/package_folder.rs");
    println!("cargo:rerun-if-changed=native");
    println!("cargo:rerun-if-changed=../core/native");
    let out_dir = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let package = package_folder::of("diffusion-rs-sys");
    let source = out_dir.join("stable-diffusion.cpp");
    change_source(&package.join("stable-diffusion.cpp"), &source);
    let built = compile(&source);

    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .files(["native/diffusion.cpp", "../core/native/faults.cpp", "../core/native/openmp.cpp"])
        .include("native")
        .include("../core/native")
        .include(source.join("include"))
        .include(source.join("src"))
        .include(source.join("ggml/include"))
        .define("GGML_MAX_NAME", "128")
        .warnings(false)
        .compile("zerohop_diffusion_native");

    for folder in ["build", "build/ggml/src"] {
        println!("cargo:rustc-link-search=native={}", built.join(folder).display());
    }
    for library in ["stable-diffusion", "ggml", "ggml-cpu", "ggml-base"] {
        println!("cargo:rustc-link-lib=static={library}");
    }
    println!("cargo:rustc-link-lib=stdc++");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    // Its ggml calls itself, never one that the program has too.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    // Computing threads sleep in its code until the process ends.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

/// For processors as llama.cpp is built for.
fn compile(source: &Path) -> PathBuf {
    let native = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).to_owned();
    let mut config = cmake::Config::new(source);
    config
        .profile("Release")
        .pic(true)
        .cxxflag(format!("-I{}", native.join("native").display()))
        .cxxflag(format!("-I{}", native.join("../core/native").display()))
        .cxxflag("-w")
        .cflag("-w")
        .build_target("stable-diffusion");
    for name in ["SD_BUILD_EXAMPLES", "SD_WEBP", "SD_WEBM", "GGML_NATIVE", "GGML_CCACHE"] {
        config.define(name, "OFF");
    }
    // The parts of OpenMP that ggml uses are ours (core/native/openmp.cpp).
    config.define("GGML_OPENMP", "ON");
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64") {
        for name in ["GGML_AVX", "GGML_AVX2", "GGML_FMA", "GGML_F16C", "GGML_BMI2", "GGML_SSE42"] {
            config.define(name, "ON");
        }
    }
    config.build()
}

/// Copies what is compiled, with [`CHANGES`].
fn change_source(from: &Path, to: &Path) {
    for part in ["CMakeLists.txt", "include", "src", "thirdparty", "ggml"] {
        copy(&from.join(part), &to.join(part));
    }
    let native = Path::new("native");
    write(&to.join("src/tokenizers/vocab/vocab.cpp"), &read(&native.join("vocab.cpp")));
    for file in ["core/util.cpp", "stable-diffusion.cpp", "model_loader.cpp", "core/tensor.hpp"] {
        let mut text = read(&from.join("src").join(file));
        for (_, old, count, new) in CHANGES.iter().filter(|(name, ..)| *name == file) {
            let found = text.matches(old).count();
            assert_eq!(found, *count, "{file} has changed: {found} times {old:?}");
            text = text.replace(old, new);
        }
        if HOOKED.contains(&file) {
            text.insert_str(0, "#include \"hooks.hpp\"\n");
        }
        write(&to.join("src").join(file), &text);
    }
}

/// Copies a file or folder, without vocabularies and backends that are not built. A file that is the same stays,
/// so that nothing is compiled anew.
fn copy(from: &Path, to: &Path) {
    let name = from.file_name().unwrap_or_default().to_string_lossy();
    let is_vocabulary = from.parent().is_some_and(|parent| parent.ends_with("tokenizers/vocab"));
    let is_changed = CHANGES.iter().any(|(file, ..)| from.ends_with(Path::new("src").join(file)));
    if (is_vocabulary && !VOCABULARIES.contains(&&*name)) || is_changed {
        return;
    }
    if !from.is_dir() {
        let bytes = fs::read(from).unwrap_or_else(|error| panic!("cannot read {}: {error}", from.display()));
        return write_bytes(to, &bytes);
    }
    let is_backend = from.parent().is_some_and(|parent| parent.ends_with("ggml/src")) && name != "ggml-cpu";
    if is_backend || ["libwebp", "libwebm"].contains(&&*name) {
        return;
    }
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("cannot read {}: {error}", from.display())) {
        let entry = entry.expect("the folder can be read");
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    write_bytes(path, text.as_bytes());
}

fn write_bytes(path: &Path, bytes: &[u8]) {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("OUT_DIR can be written to");
    fs::write(path, bytes).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
