//! What the processor can do.

use crate::api::error::{Error, ErrorKind, Result};

/// The names of features, as in the target features of Rust, with whether this processor has them.
macro_rules! features {
    ($($name:tt),* $(,)?) => {
        [$(($name, std::arch::is_x86_feature_detected!($name))),*]
    };
}

/// What llama.cpp's kernels are compiled for; on a processor without it the first of them would end
/// the process with an illegal instruction.
#[cfg(target_arch = "x86_64")]
fn needed() -> impl Iterator<Item = (&'static str, bool)> {
    features!["avx2", "bmi2", "f16c", "fma"].into_iter()
}

/// What our kernels use besides, or might.
#[cfg(target_arch = "x86_64")]
fn useful() -> impl Iterator<Item = (&'static str, bool)> {
    features!["avxvnni", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512bf16"].into_iter()
}

#[cfg(not(target_arch = "x86_64"))]
fn needed() -> impl Iterator<Item = (&'static str, bool)> {
    std::iter::empty()
}

#[cfg(not(target_arch = "x86_64"))]
fn useful() -> impl Iterator<Item = (&'static str, bool)> {
    std::iter::empty()
}

/// Those features of this processor that kernels are made for.
pub(crate) fn features() -> Vec<&'static str> {
    needed().chain(useful()).filter_map(|(name, is_there)| is_there.then_some(name)).collect()
}

/// What this processor lacks for this build to run on it.
pub(crate) fn missing() -> Vec<&'static str> {
    needed().filter_map(|(name, is_there)| (!is_there).then_some(name)).collect()
}

/// Refuses processors that this build does not run on.
pub(super) fn check() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        format!(
            "this processor lacks {}; zerohop needs an x86-64-v3 processor (Intel Haswell, AMD Zen, or later)",
            missing.join(", ")
        ),
    ))
}
