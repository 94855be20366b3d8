//! Bodies of `multipart/form-data` (RFC 7578): how clients send files.

mod reader;
mod writer;

pub(crate) use reader::Form;
pub use writer::FormWriter;
