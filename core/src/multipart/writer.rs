//! Writing forms.

use http::header::{CONTENT_TYPE, HeaderValue};
use uuid::Uuid;

use crate::api::error::{Error, ErrorKind, Result};

/// Writes the body of a request that brings a file, `multipart/form-data`, for [`Engine::send`](crate::Engine::send).
///
/// ```
/// use zerohop::FormWriter;
///
/// let mut form = FormWriter::new();
/// form.text("purpose", "batch");
/// form.file("file", "requests.jsonl", b"{}\n");
/// let request = form.into_request("/v1/files")?;
/// assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/files"));
/// # Ok::<(), zerohop::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FormWriter {
    boundary: String,
    body: Vec<u8>,
}

impl FormWriter {
    /// A form without parts.
    #[must_use]
    pub fn new() -> Self {
        FormWriter { boundary: Uuid::new_v4().simple().to_string(), body: Vec::new() }
    }

    /// Adds a field.
    pub fn text(&mut self, name: &str, text: &str) {
        self.part(&format!("name=\"{}\"", quoted(name)), text.as_bytes());
    }

    /// Adds a file, which the form calls `filename`.
    pub fn file(&mut self, name: &str, filename: &str, content: &[u8]) {
        self.part(&format!("name=\"{}\"; filename=\"{}\"", quoted(name), quoted(filename)), content);
    }

    fn part(&mut self, names: &str, content: &[u8]) {
        let head = format!("--{}\r\nContent-Disposition: form-data; {names}\r\n\r\n", self.boundary);
        self.body.reserve(head.len() + content.len() + 2);
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
    }

    /// A POST request with the form as its body.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a path that is none.
    pub fn into_request(mut self, path: &str) -> Result<http::Request<Vec<u8>>> {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={}", self.boundary));
        let content_type =
            content_type.map_err(|error| Error::internal("a boundary is no header").with_source(error))?;
        http::Request::post(path).header(CONTENT_TYPE, content_type).body(self.body).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, format!("'{path}' is no path of a URL: {error}")).with_source(error)
        })
    }
}

impl Default for FormWriter {
    fn default() -> Self {
        FormWriter::new()
    }
}

/// Between quotes, as browsers and httpx write it.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "%22");
    text.replace('\r', "%0D").replace('\n', "%0A")
}
