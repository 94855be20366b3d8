//! Images and sound in conversations (CQ5, CQ6): found, decoded within limits, cut for a model, computed, kept.
//!
//! A file's way is `source -> image or sound -> reader -> generate`: the bytes behind a URL, the pixels or
//! samples in them, what the model's projector makes of these, and the scheduler, which computes them as a part
//! of a prompt.

pub(crate) mod image;
mod reader;
mod sound;
mod source;

pub(crate) use reader::{Media, MediaReader, MediaRows, Part, is_row};
pub(crate) use source::{Fetcher, MediaAccess};
