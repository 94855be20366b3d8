//! The gate that every model file passes before C++ sees it.
//!
//! [`Gguf::read`] has found the file well-formed; here it is held against what llama.cpp takes for
//! granted: hyperparameters that it asserts or divides by, arrays that it reads in step, types that
//! its kernels know. What fits no rule here may still be refused by llama.cpp itself, with an
//! exception or an assertion that the seam catches; `docs/native-faults.md` says which is which.

mod adapter;
mod hparams;
mod keys;
mod memory;
mod projector;
mod splits;
mod template;
mod tensors;
mod vocab;

use super::gguf::{Gguf, GgufError, unsupported};
use keys::Keys;

pub(super) use adapter::check_adapter;
pub(super) use hparams::Hparams;
pub(super) use memory::{MemoryNeed, check_free_memory, free_memory};
pub(super) use projector::{CheckedProjector, check_projector};
pub(super) use splits::split_paths;
pub(crate) use template::check_template;

/// What the gate found out about a file that it lets through.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    pub(super) gguf: Gguf,
    pub(super) hparams: Hparams,
}

/// Reads and checks the first, or only, file of a model.
///
/// # Errors
///
/// [`GgufError`] with the first fault found.
pub(super) fn check(bytes: &[u8]) -> Result<Checked, GgufError> {
    let gguf = Gguf::read(bytes)?;
    if gguf.get_str("general.type") == Some("adapter") {
        return unsupported("the file is an adapter and no model: apply it to the model that it is for".to_owned());
    }
    if gguf.architecture() == Some("clip") {
        return unsupported(
            "the file is a projector and no model: give it as such to the model that it is for".to_owned(),
        );
    }
    let keys = Keys::new(&gguf, bytes)?;
    let hparams = hparams::check(&keys)?;
    let tokens = vocab::check(&keys)?;
    tensors::check(&gguf, &hparams, tokens)?;
    Ok(Checked { gguf, hparams })
}

/// Reads and checks the `index`th of `count` files that `first`, which has passed
/// [`check`], is continued in; gives back what it holds.
///
/// # Errors
///
/// As [`check`].
pub(super) fn check_split(bytes: &[u8], first: &Checked, index: u64, count: u64) -> Result<Gguf, GgufError> {
    let gguf = Gguf::read(bytes)?;
    splits::check_part(&gguf, index, count)?;
    tensors::check_types(&gguf)?;
    tensors::check_names_differ(&first.gguf, &gguf)?;
    Ok(gguf)
}

#[cfg(test)]
mod tests;
