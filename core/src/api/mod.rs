//! The contract as types and validation, one file an endpoint.
//!
//! `chat` and `content` hold what a chat request may say, `chat_reply` what is answered, `models` the
//! list of models, `ext` what this engine understands beyond the API, `parse` the way from a body's
//! bytes to a validated request, and `error` the one error type. Each request type has a `validate`
//! that both doors run: the typed Rust calls and the JSON one.
//!
//! The identifiers in parentheses, such as CQ9, are points of the project's contract with the API.

pub(crate) mod chat;
pub(crate) mod chat_reply;
pub(crate) mod content;
pub(crate) mod error;
pub(crate) mod ext;
pub(crate) mod models;
pub(crate) mod parse;
