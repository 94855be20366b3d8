//! The Responses API as types (RE1 to RE11).
//!
//! - A request: `request`, `options` (text, reasoning and smaller parameters), `tools` (their flat
//!   shape), `item` and `content` (what a conversation is made of).
//! - Its answers: `reply`, `event`.

pub(crate) mod content;
pub(crate) mod event;
pub(crate) mod item;
pub(crate) mod item_read;
pub(crate) mod options;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod tools;
