//! The text that a model wrote, parsed back to a message.

use std::ptr::NonNull;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::native::{self, NativeOutputParser, NativeString};
use crate::api::error::{Error, Result};

/// Reads what a model wrote in the form that its template demands.
#[derive(Debug)]
pub(crate) struct OutputParser(NonNull<NativeOutputParser>);

// SAFETY: the native object is immutable after construction; parsing keeps its
// state in the call.
unsafe impl Send for OutputParser {}
// SAFETY: as above.
unsafe impl Sync for OutputParser {}

/// A message as far as it has been written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ParsedMessage {
    pub(crate) content: String,
    pub(crate) reasoning_content: String,
    pub(crate) tool_calls: Vec<ParsedToolCall>,
}

/// A call as far as it has been written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ParsedToolCall {
    pub(crate) name: String,
    /// JSON text.
    pub(crate) arguments: String,
    /// Empty unless the family's markup has ids.
    pub(crate) id: String,
}

impl OutputParser {
    pub(super) fn new(format: i32, generation_prompt: &str, arena: &Value) -> Result<Self> {
        let request = json!({ "format": format, "generation_prompt": generation_prompt, "parser": arena }).to_string();
        // SAFETY: the request is given with its length.
        let (parser, error) = unsafe {
            native::with_error(|error| {
                native::zerohop_native_output_parser_new(request.as_ptr().cast(), request.len(), error)
            })
        };
        NonNull::new(parser).map(OutputParser).ok_or_else(|| {
            Error::internal(format!("the template's output parser cannot be built: {}", error.unwrap_or_default()))
        })
    }

    /// Parses a whole output, or with `partial` the beginning of one.
    ///
    /// # Errors
    ///
    /// When the text is not in the template's form, which a model that writes
    /// without a constraint may bring about.
    pub(crate) fn parse(&self, text: &str, partial: bool) -> Result<ParsedMessage> {
        // SAFETY: the parser is live; the text is given with its length.
        let (reply, error) = unsafe {
            native::with_error(|error| {
                native::zerohop_native_output_parser_parse(
                    self.0.as_ptr(),
                    text.as_ptr().cast(),
                    text.len(),
                    partial,
                    error,
                )
            })
        };
        // SAFETY: the seam hands over an owned string or NULL.
        let reply = unsafe { NativeString::new(reply) }
            .ok_or_else(|| Error::internal(format!("the output cannot be parsed: {}", error.unwrap_or_default())))?;
        serde_json::from_slice(reply.as_bytes())
            .map_err(|error| Error::internal("the output was parsed to no message").with_source(error))
    }
}

impl Drop for OutputParser {
    fn drop(&mut self) {
        // SAFETY: we own the object, and this runs once.
        unsafe { native::zerohop_native_output_parser_free(self.0.as_ptr()) }
    }
}
