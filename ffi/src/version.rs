//! What this library is.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use crate::guard::guard_or;
use crate::text::{c_string, zerohop_str};

/// The first number of this header's version.
pub const ZEROHOP_VERSION_MAJOR: u32 = 0;
/// The second number of this header's version.
pub const ZEROHOP_VERSION_MINOR: u32 = 1;
/// The third number of this header's version.
pub const ZEROHOP_VERSION_PATCH: u32 = 0;
/// The three numbers in one, for comparisons: 1.2.3 is 1002003.
pub const ZEROHOP_VERSION: u32 =
    ZEROHOP_VERSION_MAJOR * 1_000_000 + ZEROHOP_VERSION_MINOR * 1000 + ZEROHOP_VERSION_PATCH;

// cbindgen cannot evaluate `env!`, so the numbers stand here once more.
const _: () = assert!(
    ZEROHOP_VERSION == number(env!("CARGO_PKG_VERSION")),
    "the version in Cargo.toml has changed: change the numbers in ffi/src/version.rs too, and run `make header`"
);

/// What `zerohop_has_feature` says yes to. GPU backends join it with the builds
/// that have them.
const FEATURES: [&str; 3] = ["chat", "embeddings", "openmp"];

/// The version of the library and of the llama.cpp inside it, such as
/// `"0.1.0 (llama.cpp b9000)"`.
///
/// Any thread; the text lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn zerohop_version() -> *const c_char {
    static VERSION: OnceLock<CString> = OnceLock::new();
    guard_or(c"".as_ptr(), || VERSION.get_or_init(|| c_string(&zerohop::version())).as_ptr())
}

/// This build and the machine that it runs on, as a JSON object: `version`, `llama_cpp`, `processors`
/// (how many the process may use), `cpu_features`, `missing_cpu_features` (where there are any, no model
/// can be loaded), `kernels` (`"avx512"`, `"avx2"`, or null for llama.cpp's own) and `devices`. As it was
/// at the first call; what to add to a report about speed.
///
/// Any thread; the text lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn zerohop_system_info() -> *const c_char {
    static INFO: OnceLock<CString> = OnceLock::new();
    let info = || c_string(&serde_json::to_string(&zerohop::system_info()).unwrap_or_default());
    guard_or(c"".as_ptr(), || INFO.get_or_init(info).as_ptr())
}

/// The version of the library as one number, made as `ZEROHOP_VERSION` is. The
/// two differ when a program runs with another library than it was compiled for.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn zerohop_version_number() -> u32 {
    ZEROHOP_VERSION
}

/// Whether this build of the library has a feature. So far: `chat` (the path
/// `/v1/chat/completions`) and `openmp` (computes on several threads). An unknown
/// name, also one of a later version, is false.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_has_feature(name: *const c_char, name_len: usize) -> bool {
    let name = zerohop_str { data: name, len: name_len };
    guard_or(false, || {
        // SAFETY: the C caller passes NULL or `name_len` bytes.
        let name = unsafe { name.text("name") };
        name.is_ok_and(|name| FEATURES.contains(&name))
    })
}

/// Packs `major.minor.patch`.
const fn number(version: &str) -> u32 {
    let (mut packed, mut part, mut index) = (0, 0, 0);
    let text = version.as_bytes();
    while index < text.len() && text[index] != b'-' {
        if text[index] == b'.' {
            packed = (packed + part) * 1000;
            part = 0;
        } else {
            part = part * 10 + (text[index] - b'0') as u32;
        }
        index += 1;
    }
    packed + part
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn versions_are_packed() {
        assert_eq!(number("1.2.3"), 1_002_003);
        assert_eq!(number("12.0.0"), 12_000_000);
        assert_eq!(number("0.10.0-beta.2"), 10_000);
    }

    #[test]
    fn the_text_is_that_of_the_core() {
        // SAFETY: the library returns a NUL-terminated text.
        let text = unsafe { CStr::from_ptr(zerohop_version()) }.to_str().unwrap();
        assert_eq!(text, zerohop::version());
        assert!(text.starts_with(env!("CARGO_PKG_VERSION")));
    }
}
