//! The API's objects as Python sees them.
//!
//! [`BaseModel`] holds a shared JSON object and its [`Schema`]; each class of the API is a subclass
//! that only names its fields ([`classes`]). Children become objects when they are asked for, and
//! what no schema names survives everything: attribute access, dumping, pickling, sending it back.

mod audio;
mod base;
mod classes;
mod dump;
mod responses;
mod schema;
mod select;

pub(crate) use audio::{
    TRANSCRIPTION, TRANSCRIPTION_STREAM_EVENT, TRANSCRIPTION_VERBOSE, TRANSLATION, TRANSLATION_VERBOSE,
};
pub(crate) use base::{BaseModel, object, reply, value};
pub(crate) use classes::{
    ASYNC_BATCH_PAGE, ASYNC_CURSOR_PAGE, ASYNC_PAGE, BATCH, BATCH_COUNTS, CHAT_COMPLETION, CHAT_COMPLETION_CHUNK,
    COMPLETION, CREATE_EMBEDDING_RESPONSE, DETOKENIZE_RESPONSE, DEVICE, FILE_DELETED, FILE_OBJECT, MODEL,
    MODEL_DELETED, MODEL_INFO, RERANK_RESPONSE, SYNC_BATCH_PAGE, SYNC_CURSOR_PAGE, SYNC_PAGE, SYSTEM_INFO,
    TOKENIZE_RESPONSE,
};
pub(crate) use responses::{RESPONSE_OBJECT, RESPONSE_STREAM_EVENT};
pub(crate) use schema::{Schema, Shape};

use pyo3::prelude::*;

/// Adds the classes to the native module.
pub(crate) fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BaseModel>()?;
    classes::add_classes(module)?;
    audio::add_classes(module)?;
    responses::add_classes(module)
}
