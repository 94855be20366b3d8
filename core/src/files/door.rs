//! `/v1/files` as HTTP has it.

use http::{HeaderMap, Method, Response, Uri};

use super::Files;
use super::store::MAX_FILE;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::files::{CreateFileRequest, FileObject, FilePurpose, ListFilesRequest};
use crate::engine::Engine;
use crate::multipart::Form;
use crate::router::{Body, bytes, decoded, json, method_not_allowed};

/// The longest body: a file and the form around it.
const MAX_BODY: usize = MAX_FILE + (1 << 20);

/// Answers a request to a path below `/v1/files`.
pub(crate) fn answer(
    engine: &Engine,
    method: &Method,
    uri: &Uri,
    path: &[&str],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Body>> {
    let files = engine.files();
    match (path, method) {
        ([], &Method::POST) => create(files, headers, body).map(|file| json(&file)),
        ([], &Method::GET) => {
            let request = ListFilesRequest::read(uri.query().unwrap_or_default())?;
            files.list(&request).map(|list| json(&list))
        }
        ([id], &Method::GET) => files.retrieve(&decoded(id)).map(|file| json(&file)),
        ([id], &Method::DELETE) => files.delete(&decoded(id)).map(|deleted| json(&deleted)),
        ([id, "content"], &Method::GET) => {
            let content = files.content(&decoded(id))?;
            Ok(bytes(content.to_vec(), "application/octet-stream"))
        }
        _ => Err(method_not_allowed(method, uri)),
    }
}

fn create(files: Files<'_>, headers: &HeaderMap, body: &[u8]) -> Result<FileObject> {
    if body.len() > MAX_BODY {
        let message = format!("The request body has {} bytes; at most {MAX_BODY} are read", body.len());
        return Err(Error::new(ErrorKind::InvalidRequest, message).with_code("request_too_large"));
    }
    let mut form = Form::read(headers, body)?;
    let purpose = form.text("purpose")?.ok_or_else(|| missing("purpose"))?;
    let file = form.file("file")?.ok_or_else(|| missing("file"))?;
    let anchor = form.text("expires_after[anchor]")?;
    let seconds = form.text("expires_after[seconds]")?;
    form.finish()?;
    let purpose = FilePurpose::read(purpose)?;
    let expires_after = expiry(anchor, seconds)?;
    let request = CreateFileRequest::new(file.name, file.content, purpose);
    files.create(CreateFileRequest { expires_after, ..request })
}

fn missing(name: &'static str) -> Error {
    Error::invalid(name, format!("Missing required parameter: '{name}'"))
}

/// The seconds after which a file expires.
fn expiry(anchor: Option<&str>, seconds: Option<&str>) -> Result<Option<u64>> {
    let (Some(anchor), Some(seconds)) = (anchor, seconds) else {
        return match (anchor, seconds) {
            (None, None) => Ok(None),
            (None, _) => Err(missing("expires_after.anchor")),
            _ => Err(missing("expires_after.seconds")),
        };
    };
    if anchor != "created_at" {
        return Err(Error::invalid("expires_after.anchor", "'expires_after.anchor' must be 'created_at'"));
    }
    let seconds = seconds.parse();
    seconds.map(Some).map_err(|_| Error::invalid("expires_after.seconds", "'expires_after.seconds' must be an integer"))
}
