//! The contract as types and validation.
//!
//! - A chat request: `chat` (the request itself), `chat_options`, `ext` (what this engine understands
//!   beyond the API), `message`, `content`, `tools`, `tool_choice`, `tool_calls`, `response_format`.
//! - Its answers: `chat_reply`, `chat_chunk`, `logprobs`, `usage`.
//! - `completions`, `completions_reply`: the older endpoint for plain text.
//! - `responses`: the Responses API; `stored`: what is kept for later, and lists of it.
//! - `embeddings`: the request and reply for vectors.
//! - `audio`, `audio_reply`: speech to text. `images`, `images_reply`: images of texts and of images.
//! - `rerank`: documents in the order of a query.
//! - `tokenize`: text to tokens and back.
//! - `batches`: files of requests that are answered in the background.
//! - `files`: what is said about files. `models`: the list of models.
//! - `parse`: the way from a body's bytes to a validated request; `error`: the one error type.
//!
//! Each request type has a `validate` that both doors run: the typed Rust calls and the JSON one.
//!
//! The identifiers in parentheses, such as CQ9, are points of the project's contract with the API.

pub(crate) mod audio;
pub(crate) mod audio_reply;
pub(crate) mod batches;
pub(crate) mod chat;
pub(crate) mod chat_chunk;
pub(crate) mod chat_options;
pub(crate) mod chat_reply;
pub(crate) mod chat_validate;
pub(crate) mod completions;
pub(crate) mod completions_reply;
pub(crate) mod content;
#[cfg(test)]
mod contract_tests;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod ext;
pub(crate) mod files;
pub(crate) mod images;
pub(crate) mod images_reply;
pub(crate) mod logprobs;
pub(crate) mod message;
pub(crate) mod models;
pub(crate) mod parse;
pub(crate) mod rerank;
pub(crate) mod response_format;
pub(crate) mod responses;
pub(crate) mod stored;
pub(crate) mod tokenize;
pub(crate) mod tool_calls;
pub(crate) mod tool_choice;
pub(crate) mod tools;
pub(crate) mod usage;
