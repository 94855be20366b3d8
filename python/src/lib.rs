//! The native module of the Python package `zerohop`.
//!
//! It translates and decides nothing: a call's arguments become a request for the engine's door
//! ([`zerohop::Engine::submit`]), its reply becomes Python objects (`types`) or an exception
//! (`errors`). Whatever takes longer than a moment runs detached from the interpreter (`wait`).

mod audio;
mod batch;
mod batches;
mod caller;
mod chat;
mod convert;
mod door;
mod embeddings;
mod engine;
mod errors;
mod events;
mod files;
mod handle;
mod images;
mod job;
mod json;
mod limits;
mod lists;
mod loader;
mod logs;
mod method;
mod models;
mod notify;
mod options;
mod progress;
mod reply;
mod request;
mod responses;
mod stream;
mod texts;
mod types;
mod upload;
mod vectors;
mod wait;

use pyo3::prelude::*;

/// The native part of zerohop; import `zerohop` instead.
// What threads share is behind locks, and no Python runs while one is held.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    logs::collect();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<options::ModelOptions>()?;
    module.add_class::<chat::Chat>()?;
    module.add_class::<chat::Completions>()?;
    module.add_class::<chat::Messages>()?;
    module.add_class::<texts::LegacyCompletions>()?;
    module.add_class::<embeddings::Embeddings>()?;
    module.add_class::<audio::Audio>()?;
    module.add_class::<audio::Transcriptions>()?;
    module.add_class::<audio::Translations>()?;
    module.add_class::<images::Images>()?;
    module.add_class::<files::Files>()?;
    module.add_class::<batches::Batches>()?;
    module.add_class::<models::Models>()?;
    module.add_class::<responses::Responses>()?;
    module.add_class::<responses::InputItems>()?;
    module.add_class::<responses::InputTokens>()?;
    module.add_class::<stream::Stream>()?;
    module.add_class::<vectors::Vectors>()?;
    module.add_class::<door::PendingReply>()?;
    module.add_class::<door::ReplyEvents>()?;
    module.add_class::<job::Job>()?;
    module.add_class::<loader::Loader>()?;
    types::add_classes(module)?;
    module.add_function(wrap_pyfunction!(engine::devices, module)?)?;
    module.add_function(wrap_pyfunction!(engine::system_info, module)?)?;
    module.add_function(wrap_pyfunction!(errors::_error_kinds, module)?)?;
    handle::close_all_at_exit(module)
}
