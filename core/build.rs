//! Compiles the C++ seam in `native/` against the llama.cpp that llama-cpp-sys-2
//! has built, its interpreter of chat templates anew, with limits, and whisper.cpp against its ggml.

mod package_folder;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=native");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=package_folder.rs");
    // Documentation needs no objects, and docs.rs has little time.
    if env::var_os("DOCS_RS").is_some() {
        return;
    }

    let source = llama_cpp_source();
    let whisper = package_folder::of("whisper-rs-sys").join("whisper.cpp");
    compile_mtmd(&source);
    let interpreter = limited_interpreter(&source.join("common/jinja"));
    changed(&whisper.join("src/whisper.cpp"), "speech_whisper.cpp", "", &SPEECH);
    let fit = changed(&source.join("common/fit.cpp"), "quiet_fit.cpp", "", &FIT);
    let mut build = cc::Build::new();
    // For the fuzz targets: fuzz/counters.c counts.
    println!("cargo:rerun-if-env-changed=ZEROHOP_FUZZ");
    if env::var_os("ZEROHOP_FUZZ").is_some() {
        build.flag("-fsanitize-coverage=trace-pc");
    }
    build
        .cpp(true)
        .std("c++17")
        .files(["native/context.cpp", "native/faults.cpp", "native/templates.cpp", "native/chat.cpp"])
        .files(["native/template_budget.cpp", "native/kernels.cpp", "native/openmp.cpp", "native/speech.cpp"])
        .files(["native/media.cpp", "native/forks.cpp", "native/placement.cpp"])
        .file(fit)
        .files(interpreter)
        .include("native")
        // Not an include folder like the others: its string.h is not the system's.
        .flag(format!("-iquote{}", source.join("common/jinja").display()))
        .include(source.join("common"))
        .include(source.join("include"))
        .include(source.join("ggml/include"))
        .include(source.join("ggml/src"))
        .include(source.join("ggml/src/ggml-cpu"))
        .include(source.join("vendor"))
        .include(source.join("tools/mtmd"))
        .include(whisper.join("include"))
        .include(whisper.join("src"))
        .include(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"))
        .define("WHISPER_VERSION", "\"1.8.3\"")
        // What whisper.cpp asserts with C's macro is checked before it is called.
        .define("NDEBUG", None)
        // The headers are llama.cpp's; their warnings are not ours to fix.
        .warnings(false)
        .compile("zerohop_native");
}

/// Compiles llama.cpp's mtmd, which makes embeddings of images and sound: not as a feature of
/// llama-cpp-sys-2, whose build of it also reads videos, for which it starts programs, and decodes files
/// in C. It takes a minute or two, and only once: its source does not change.
fn compile_mtmd(source: &Path) {
    let out_dir = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let stamp = out_dir.join("mtmd.stamp");
    let what = format!("{}\n{MTMD:?}", source.display());
    println!("cargo:rustc-link-search=native={}", out_dir.display());
    if fs::read_to_string(&stamp).is_ok_and(|built| built == what) {
        println!("cargo:rustc-link-lib=static=zerohop_mtmd");
        return;
    }
    let folder = source.join("tools/mtmd");
    let models = fs::read_dir(folder.join("models")).expect("mtmd has a folder of models");
    let models = models.map(|entry| entry.expect("the folder can be read").path());
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file(changed(&folder.join("mtmd.cpp"), "owning_mtmd.cpp", "", &MTMD))
        .file(changed(&folder.join("clip.cpp"), "quiet_clip.cpp", "", &MTMD))
        .files(["mtmd-audio.cpp", "mtmd-image.cpp"].map(|name| folder.join(name)))
        .files(models.filter(|path| path.extension().is_some_and(|extension| extension == "cpp")))
        .include(&folder)
        .include(source.join("include"))
        .include(source.join("ggml/include"))
        .include(source.join("vendor"))
        .warnings(false)
        .compile("zerohop_mtmd");
    fs::write(&stamp, what).expect("OUT_DIR can be written to");
}

/// What becomes of llama.cpp's interpreter of chat templates (`common/jinja`), which has no limits:
/// file, text, how often it occurs, and what it becomes.
///
/// The linker takes these objects in place of llama.cpp's own, because it meets them first and they
/// define the same symbols.
const LIMITS: [(&str, &str, usize, &str); 13] = [
    // Every expression and statement.
    (
        "runtime.cpp",
        "        return execute_impl(ctx);\n",
        1,
        "        zerohop::template_step();
        value result = execute_impl(ctx);
        if (is_val<value_string>(result)) {
            zerohop::template_text(result->val_str.length());
        }
        return result;\n",
    ),
    (
        "runtime.cpp",
        "        for (int64_t i = 0; i < repeat; ++i) {\n",
        1,
        "        zerohop::template_text(str.length() + sizeof(string_part), repeat);
        for (int64_t i = 0; i < repeat; ++i) {\n",
    ),
    // Whatever walks a value that holds itself does not end.
    (
        "runtime.cpp",
        "        obj_ptr->insert(prop_name, rhs);\n",
        1,
        "        zerohop_refuse_cycle(object, rhs);
        obj_ptr->insert(prop_name, rhs);\n",
    ),
    (
        "runtime.cpp",
        "namespace jinja {\n",
        1,
        "namespace jinja {\nvoid zerohop_refuse_cycle(const value & container, const value & item);\n",
    ),
    (
        "value.cpp",
        "            arr_editable->push_back(args.get_pos(1));\n",
        1,
        "            zerohop_refuse_cycle(args.get_pos(0), args.get_pos(1));
            arr_editable->push_back(args.get_pos(1));\n",
    ),
    (
        "value.cpp",
        "namespace jinja {\n",
        1,
        "namespace jinja {

void zerohop_refuse_cycle(const value & container, const value & item) {
    zerohop::template_step();
    if (item == container) {
        throw raised_exception(\"a list or namespace must not hold itself\");
    }
    if (is_val<value_array>(item)) {
        for (const auto & inner : item->as_array()) {
            zerohop_refuse_cycle(container, inner);
        }
    } else if (is_val<value_object>(item)) {
        for (const auto & inner : item->as_ordered_object()) {
            zerohop_refuse_cycle(container, inner.second);
        }
    }
}
",
    ),
    (
        "value.cpp",
        "                    out->push_back(mk_val<value_int>(i));\n",
        2,
        "                    zerohop::template_step();
                    out->push_back(mk_val<value_int>(i));\n",
    ),
    (
        "value.cpp",
        "                    new_res.reserve(str.length() + new_str.length() * (str.length() + 1));\n",
        1,
        "                    zerohop::template_text(new_str.length() + 1, str.length() + 1);\n",
    ),
    (
        "value.cpp",
        "                        str.replace(pos, old_str.length(), new_str);\n",
        1,
        "                        zerohop::template_step();
                        zerohop::template_text(new_str.length());
                        str.replace(pos, old_str.length(), new_str);\n",
    ),
    (
        "value.cpp",
        "                indent.assign(val_width->as_int(), ' ');\n",
        1,
        "                indent.assign(zerohop::template_text(val_width->as_int()), ' ');\n",
    ),
    ("value.cpp", "indented += indent;\n", 2, "zerohop::template_text(indent.length()), indented += indent;\n"),
    (
        "value.cpp",
        "                result += val_arr->as_string().str();\n",
        1,
        "                zerohop::template_text(delim.length() + val_arr->as_string().length());
                result += val_arr->as_string().str();\n",
    ),
    (
        "value.cpp",
        "    auto indent_str = [indent, curr_lvl]() -> std::string {\n",
        1,
        "    zerohop::template_step();
    zerohop::template_text(indent > 0 ? indent : 0, 2 * (curr_lvl + 1));
    auto indent_str = [indent, curr_lvl]() -> std::string {\n",
    ),
];

/// What becomes of whisper.cpp, as in [`LIMITS`]: `native/speech.cpp` computes one window of 30 seconds at
/// a time and wants to know how that went, and no assertion may end the process.
const SPEECH: [(&str, &str, usize, &str); 5] = [
    (
        "whisper.cpp",
        "            abort(); \\\n",
        1,
        "            throw std::runtime_error(\"WHISPER_ASSERT: \" #x); \\\n",
    ),
    (
        "whisper.cpp",
        "        if (seek + delta_min >= seek_end) {\n",
        1,
        "        if (seek > seek_start || seek + delta_min >= seek_end) {\n",
    ),
    (
        "whisper.cpp",
        "            const float t_cur = temperatures[it];\n",
        1,
        "            const float t_cur = temperatures[it];\n            zerohop_pass.temperature = t_cur;\n",
    ),
    (
        "whisper.cpp",
        "            seek += seek_delta;\n",
        1,
        "            seek += seek_delta;
            zerohop_pass.advance = seek_delta;
            zerohop_pass.avg_logprob = best_decoder.sequence.avg_logprobs;\n",
    ),
    // Where the decoder looked is kept when it is wanted, not for every token of every window.
    ("whisper.cpp", "if (wctx.params.dtw_token_timestamps", 2, "if (save_alignment_heads_QKs"),
];

/// What becomes of llama.cpp's fitting of layers into memory, as in [`LIMITS`]: it puts a logger of its own in the
/// place of the process's, with a pointer to its stack, while other threads log.
const FIT: [(&str, &str, usize, &str); 3] = [
    ("fit.cpp", "        llama_log_set(ud.original_logger.callback, ud.original_logger.user_data);\n", 2, ""),
    ("fit.cpp", "    llama_log_set(ud.original_logger.callback, ud.original_logger.user_data);\n", 1, ""),
    (
        "fit.cpp",
        "    llama_log_set([](ggml_log_level level, const char * text, void * user_data) {
        const user_data_t * ud = (const user_data_t *) user_data;
        const ggml_log_level level_eff = level >= ud->min_level ? level : GGML_LOG_LEVEL_DEBUG;
        ud->original_logger.callback(level_eff, text, ud->original_logger.user_data);
    }, &ud);\n",
        1,
        "",
    ),
];

/// What becomes of mtmd, as in [`LIMITS`].
const MTMD: [(&str, &str, usize, &str); 6] = [
    // A projector that does not fit its model is refused after it was loaded, and must not stay in memory then.
    (
        "mtmd.cpp",
        "struct mtmd_context {\n    struct clip_ctx * ctx_v; // vision\n    struct clip_ctx * ctx_a; // audio\n",
        1,
        "struct zerohop_owned_clip {
    clip_ctx * owned = nullptr;
    zerohop_owned_clip() = default;
    zerohop_owned_clip(const zerohop_owned_clip &) = delete;
    ~zerohop_owned_clip() { clip_free(owned); }
    zerohop_owned_clip & operator=(clip_ctx * clip) { owned = clip; return *this; }
    operator clip_ctx *() const { return owned; }
};

struct mtmd_context {
    zerohop_owned_clip ctx_v; // vision
    zerohop_owned_clip ctx_a; // audio
",
    ),
    ("mtmd.cpp", "    struct clip_ctx * ctx_gen_a; // audio\n", 1, "    zerohop_owned_clip ctx_gen_a; // audio\n"),
    ("mtmd.cpp", "        clip_free(ctx_a);\n        clip_free(ctx_v);\n        clip_free(ctx_gen_a);\n", 1, ""),
    // The most tokens of an image, and the floats of the rows that were encoded last, for `native/media.cpp`.
    (
        "mtmd.cpp",
        "int mtmd_get_audio_sample_rate(const mtmd_context * ctx) {\n",
        1,
        "int zerohop_image_max_tokens(const mtmd_context * ctx) {
    return ctx->ctx_v ? clip_get_image_max_tokens(ctx->ctx_v) : -1;
}

size_t zerohop_output_floats(const mtmd_context * ctx) {
    return ctx->out_embd.size();
}

int mtmd_get_audio_sample_rate(const mtmd_context * ctx) {
",
    ),
    // The host's environment is the host's: no file is written because of it.
    ("clip.cpp", "std::getenv(\"MTMD_DEBUG_EMBEDDINGS\")", 2, "static_cast<const char *>(nullptr)"),
    // Of the image that a graph is tried with, only the size is asked for.
    ("clip.cpp", "img.set_size({sz, sz}, false, false);", 1, "img.set_size({sz, sz}, true, false);"),
];

/// Writes llama.cpp's interpreter with [`LIMITS`] into the build's own folder.
fn limited_interpreter(folder: &Path) -> Vec<PathBuf> {
    ["runtime.cpp", "value.cpp"]
        .into_iter()
        .map(|name| {
            let include = "#include \"template_budget.hpp\"\n";
            changed(&folder.join(name), &format!("limited_{name}"), include, &LIMITS)
        })
        .collect()
}

/// Writes a source with changes, and `before` in front of it, into the build's own folder.
fn changed(source: &Path, target: &str, before: &str, changes: &[(&str, &str, usize, &str)]) -> PathBuf {
    let out_dir = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut text =
        fs::read_to_string(source).unwrap_or_else(|error| panic!("cannot read {}: {error}", source.display()));
    for (_, old, count, new) in changes.iter().filter(|(file, ..)| source.ends_with(file)) {
        let found = text.matches(old).count();
        assert_eq!(found, *count, "{} has changed: {found} times {old:?}", source.display());
        text = text.replace(old, new);
    }
    let target = out_dir.join(target);
    fs::write(&target, format!("{before}{text}"))
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", target.display()));
    target
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
