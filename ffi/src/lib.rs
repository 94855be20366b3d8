//! libzerohop: the engine behind a C interface. Only translates; all behaviour is
//! the crate `zerohop`'s.
//!
//! # Call order
//!
//! 1. `zerohop_model_options_init`, `zerohop_engine_options_init`: fill the option
//!    structs, then set what should differ.
//! 2. `zerohop_engine_new`: loads the models.
//! 3. `zerohop_request_init`, then `zerohop_send`, from any number of threads:
//!    gives a response.
//! 4. `zerohop_response_body`, or for a stream `zerohop_response_next` until
//!    `ZEROHOP_END`.
//! 5. `zerohop_response_free`.
//!
//!    Instead of 3 and 4, for programs that must not block: `zerohop_submit`, which
//!    calls back from one thread of the engine (`dispatch`).
//! 6. `zerohop_engine_close` if requests may still be running, then
//!    `zerohop_engine_free`.
//!
//! At any time, from any thread: `zerohop_cancel_token_cancel` and
//! `zerohop_response_cancel`. Whatever fails hands out a `zerohop_error`, which
//! `zerohop_error_free` takes back.
//!
//! # Where the danger lives
//!
//! C pointers become Rust references in three modules only: `handle` (opaque
//! types), `options` (structs of the caller's) and `text` (strings and output
//! arguments). Every entry point turns its arguments in `unsafe` blocks, whose
//! promise is the C caller's and is written in the header, and runs the rest in
//! `guard`, which lets no panic out; only those that read a field or fill a struct,
//! and so cannot panic, go without.

#![expect(non_camel_case_types, reason = "these are the names of the C types")]
#![expect(clippy::missing_safety_doc, reason = "the header states once, for all functions, what callers promise")]

mod dispatch;
mod growing;
mod guard;
mod handle;

// In the header's order; blank lines keep rustfmt from sorting them.
pub mod version;

pub mod text;

pub mod error;

pub mod media;

pub mod options;

pub mod engine;

pub mod model;

pub mod request;

pub mod response;

pub mod embeddings;

pub mod transcribe;

pub mod callbacks;

pub mod cancel;

pub mod device;

pub mod log;
