//! The API's objects as Python sees them.
//!
//! [`BaseModel`] holds a shared JSON object and its [`Schema`]; each class of the API is a subclass
//! that only names its fields ([`classes`]). Children become objects when they are asked for, and
//! what no schema names survives everything: attribute access, dumping, pickling, sending it back.

mod audio;
mod base;
mod chat;
mod classes;
mod dump;
mod files;
mod images;
mod models;
mod pages;
mod response_items;
mod responses;
mod schema;
mod select;
mod texts;

pub(crate) use audio::{
    TRANSCRIPTION, TRANSCRIPTION_STREAM_EVENT, TRANSCRIPTION_VERBOSE, TRANSLATION, TRANSLATION_VERBOSE,
};
pub(crate) use base::{BaseModel, Origin, object, reply, value};
pub(crate) use chat::{CHAT_COMPLETION, CHAT_COMPLETION_CHUNK, CHAT_COMPLETION_DELETED};
pub(crate) use files::{BATCH, BATCH_COUNTS, FILE_DELETED, FILE_OBJECT};
pub(crate) use images::{IMAGE_STREAM_EVENT, IMAGES_RESPONSE};
pub(crate) use models::{DEVICE, MODEL, MODEL_DELETED, MODEL_INFO, SYSTEM_INFO};
pub(crate) use pages::{
    BATCH_PAGES, CHAT_COMPLETION_PAGES, FILE_PAGES, MESSAGE_PAGES, MODEL_PAGES, Pages, RESPONSE_ITEM_PAGES,
};
pub(crate) use response_items::INPUT_TOKEN_COUNT_RESPONSE;
pub(crate) use responses::{RESPONSE_OBJECT, RESPONSE_STREAM_EVENT};
pub(crate) use schema::{Schema, Shape};
pub(crate) use texts::{
    COMPLETION, CREATE_EMBEDDING_RESPONSE, DETOKENIZE_RESPONSE, RERANK_RESPONSE, TOKENIZE_RESPONSE,
};

use pyo3::prelude::*;

/// Adds the classes to the native module.
pub(crate) fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BaseModel>()?;
    module.add_class::<pages::BasePage>()?;
    module.add_class::<pages::BaseSyncPage>()?;
    module.add_class::<pages::BaseAsyncPage>()?;
    module.add_function(wrap_pyfunction!(base::_restore, module)?)?;
    audio::add_classes(module)?;
    images::add_classes(module)?;
    chat::add_classes(module)?;
    texts::add_classes(module)?;
    models::add_classes(module)?;
    files::add_classes(module)?;
    pages::add_classes(module)?;
    responses::add_classes(module)?;
    response_items::add_classes(module)
}

/// The schemas of all classes: of pages, first the one without a class for the entries.
fn schemas() -> impl Iterator<Item = &'static Schema> {
    let classes = [
        audio::SCHEMAS,
        images::SCHEMAS,
        chat::SCHEMAS,
        texts::SCHEMAS,
        models::SCHEMAS,
        files::SCHEMAS,
        pages::SCHEMAS,
        responses::SCHEMAS,
        response_items::SCHEMAS,
    ];
    let lists = pages::ALL_PAGES.iter().flat_map(|pages| [&pages.sync, &pages.asynchronous]);
    classes.into_iter().flatten().copied().chain(lists)
}
