//! Chat templates, applied by llama.cpp's `common/chat`.

use std::ffi::CString;
use std::ptr::{self, NonNull};

use serde::{Deserialize, Serialize};

use super::Model;
use super::native::{self, NativeString, NativeTemplates};
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::message::Role;

/// The chat templates of one model.
#[derive(Debug)]
pub(crate) struct Templates(NonNull<NativeTemplates>);

// SAFETY: the native object is immutable after construction; rendering builds
// its own interpreter state for every call.
unsafe impl Send for Templates {}
// SAFETY: as above.
unsafe impl Sync for Templates {}

/// One message as `common/chat` takes it.
#[derive(Debug, Serialize)]
pub(crate) struct TemplateMessage {
    pub(crate) role: Role,
    pub(crate) content: String,
}

#[derive(Serialize)]
struct ApplyRequest<'a> {
    messages: &'a [TemplateMessage],
}

#[derive(Deserialize)]
struct ApplyReply {
    prompt: String,
}

impl Templates {
    /// Parses the model's own templates, or `source` in their place.
    pub(crate) fn new(model: &Model, source: Option<&str>) -> Result<Self> {
        let source = source
            .map(CString::new)
            .transpose()
            .map_err(|_| Error::new(ErrorKind::InvalidArgument, "the chat template contains a NUL byte"))?;
        let source_ptr = source.as_ref().map_or(ptr::null(), |source| source.as_ptr());
        // SAFETY: the model is live for this call, and `source` is NULL or a
        // NUL-terminated string.
        let (templates, error) =
            unsafe { native::with_error(|error| native::zerohop_native_templates_new(model.raw(), source_ptr, error)) };
        NonNull::new(templates).map(Templates).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidModel,
                format!("the chat template cannot be parsed: {}", error.unwrap_or_default()),
            )
        })
    }

    /// Renders the prompt for these messages, the generation prompt included.
    pub(crate) fn apply(&self, messages: &[TemplateMessage]) -> Result<String> {
        let request = serde_json::to_string(&ApplyRequest { messages })
            .map_err(|error| Error::internal("the messages cannot be written as JSON").with_source(error))?;
        // SAFETY: the templates are live; the request is given with its length.
        let (reply, error) = unsafe {
            native::with_error(|error| {
                native::zerohop_native_templates_apply(self.0.as_ptr(), request.as_ptr().cast(), request.len(), error)
            })
        };
        // SAFETY: the seam hands over an owned string or NULL.
        let Some(reply) = (unsafe { NativeString::new(reply) }) else {
            return Err(Error::invalid(
                "messages",
                format!("the model's chat template refuses these messages: {}", error.unwrap_or_default()),
            ));
        };
        let reply: ApplyReply = serde_json::from_slice(reply.as_bytes())
            .map_err(|error| Error::internal("the chat template gave no valid prompt").with_source(error))?;
        Ok(reply.prompt)
    }
}

impl Drop for Templates {
    fn drop(&mut self) {
        // SAFETY: we own the object, and this runs once.
        unsafe { native::zerohop_native_templates_free(self.0.as_ptr()) }
    }
}
