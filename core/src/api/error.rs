//! The one error type of the engine, in the shape of the API's error object.
//!
//! Every failure carries what a hosted API would answer (`status`, `type`,
//! `param`, `code`, `message`; contract points ER1 to ER7), so that the Rust, C
//! and Python surfaces and the JSON replies all translate from one place.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `Result` with the engine's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller may want to branch on it.
///
/// Each kind has one HTTP status, one C status code and one Python exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A request that cannot be served as it is: 400.
    InvalidRequest,
    /// A missing or wrong API key: 401.
    Authentication,
    /// A request that is understood and refused: 403.
    PermissionDenied,
    /// An unknown model, path or stored object: 404.
    NotFound,
    /// A request that took longer than its time limit: 408.
    Timeout,
    /// A request that contradicts the state of an object: 409.
    Conflict,
    /// The queue or a configured rate limit is full: 429.
    RateLimit,
    /// A fault of the engine: 500.
    Internal,
    /// Loading, draining, or out of memory for a new sequence: 503.
    Unavailable,
    /// A model file that does not exist or cannot be opened.
    ModelFile,
    /// A file that is no usable model: not GGUF, truncated, or refused by the backend.
    InvalidModel,
    /// An option or argument outside its range, outside of any request.
    InvalidArgument,
    /// The engine has been closed.
    Closed,
    /// The caller cancelled the request.
    Cancelled,
}

impl ErrorKind {
    /// Every kind, for surfaces and tests that must cover all of them.
    pub const ALL: [ErrorKind; 14] = [
        ErrorKind::InvalidRequest,
        ErrorKind::Authentication,
        ErrorKind::PermissionDenied,
        ErrorKind::NotFound,
        ErrorKind::Timeout,
        ErrorKind::Conflict,
        ErrorKind::RateLimit,
        ErrorKind::Internal,
        ErrorKind::Unavailable,
        ErrorKind::ModelFile,
        ErrorKind::InvalidModel,
        ErrorKind::InvalidArgument,
        ErrorKind::Closed,
        ErrorKind::Cancelled,
    ];

    /// The one table of what each kind is to the API (ER1 to ER7).
    fn row(self) -> Row {
        const RETRY_AFTER: Option<Duration> = Some(Duration::from_secs(1));
        let (status, error_type, code, retry_after) = match self {
            ErrorKind::InvalidRequest => (Some(400), "invalid_request_error", None, None),
            ErrorKind::Authentication => (Some(401), "invalid_request_error", Some("invalid_api_key"), None),
            ErrorKind::PermissionDenied => (Some(403), "permission_error", None, None),
            ErrorKind::NotFound => (Some(404), "invalid_request_error", None, None),
            ErrorKind::Timeout => (Some(408), "server_error", Some("request_timeout"), RETRY_AFTER),
            ErrorKind::Conflict => (Some(409), "invalid_request_error", None, None),
            ErrorKind::RateLimit => (Some(429), "rate_limit_error", Some("rate_limit_exceeded"), RETRY_AFTER),
            ErrorKind::Internal => (Some(500), "server_error", None, None),
            ErrorKind::Unavailable => (Some(503), "server_error", None, RETRY_AFTER),
            ErrorKind::ModelFile
            | ErrorKind::InvalidModel
            | ErrorKind::InvalidArgument
            | ErrorKind::Closed
            | ErrorKind::Cancelled => (None, "invalid_request_error", None, None),
        };
        Row { status, error_type, code, retry_after }
    }

    /// The HTTP status a hosted API would answer with, or `None` for failures
    /// that happen outside of any request (loading a file, a closed engine).
    pub fn status(self) -> Option<u16> {
        self.row().status
    }

    /// The `type` of the API's error object.
    pub fn error_type(self) -> &'static str {
        self.row().error_type
    }

    fn from_status(status: u16) -> Self {
        match status {
            401 => ErrorKind::Authentication,
            403 => ErrorKind::PermissionDenied,
            404 => ErrorKind::NotFound,
            408 => ErrorKind::Timeout,
            409 => ErrorKind::Conflict,
            429 => ErrorKind::RateLimit,
            503 => ErrorKind::Unavailable,
            400..=499 => ErrorKind::InvalidRequest,
            _ => ErrorKind::Internal,
        }
    }
}

/// What a kind of error is to the API. `code` and `retry_after` are those of errors that say nothing
/// more exact.
struct Row {
    status: Option<u16>,
    error_type: &'static str,
    code: Option<&'static str>,
    retry_after: Option<Duration>,
}

/// An error of the engine. Cheap to clone.
///
/// ```
/// use zerohop::{Engine, ErrorKind};
///
/// let error = Engine::builder().model("chat", "no-such-file.gguf").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::ModelFile);
/// assert!(error.message().contains("no-such-file.gguf"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Repr>);

#[derive(Clone)]
struct Repr {
    kind: ErrorKind,
    message: String,
    param: Option<Cow<'static, str>>,
    code: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    /// That no repetition can succeed, whatever its kind says.
    is_final: bool,
    path: Option<PathBuf>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Arc::new(Repr {
            kind,
            message: message.into(),
            param: None,
            code: None,
            retry_after: None,
            is_final: false,
            path: None,
            source: None,
        }))
    }

    /// A 400 naming the parameter at fault (ER3).
    pub(crate) fn invalid(param: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message).with_param(param)
    }

    /// A 400 for a parameter this engine does not serve (ER3).
    pub(crate) fn unsupported_parameter(param: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::invalid(param, message).with_code("unsupported_parameter")
    }

    /// A 400 for a value of a known parameter that this engine does not serve (ER3).
    pub(crate) fn unsupported_value(param: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::invalid(param, message).with_code("unsupported_value")
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the engine has been closed")
    }

    /// For a load that its progress callback has ended.
    pub(crate) fn loading_stopped(path: &Path) -> Self {
        Error::new(ErrorKind::Cancelled, format!("{}: loading was stopped", path.display()))
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the request was cancelled")
    }

    /// The end of a request whose time has passed.
    pub(crate) fn timeout(limit: Duration) -> Self {
        let message = format!("the request was stopped: it took longer than its time limit of {limit:?}");
        Self::new(ErrorKind::Timeout, message)
    }

    /// Puts where it happened in front of the message.
    pub(crate) fn with_message_prefix(mut self, place: &str) -> Self {
        let repr = Arc::make_mut(&mut self.0);
        repr.message = format!("{place}: {}", repr.message);
        self
    }

    pub(crate) fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.0).param = Some(param.into());
        self
    }

    pub(crate) fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.0).code = Some(code.into());
        self
    }

    pub(crate) fn with_retry_after(mut self, delay: Duration) -> Self {
        Arc::make_mut(&mut self.0).retry_after = Some(delay);
        self
    }

    pub(crate) fn without_retry(mut self) -> Self {
        Arc::make_mut(&mut self.0).is_final = true;
        self
    }

    pub(crate) fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        Arc::make_mut(&mut self.0).path = Some(path.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// The error of a request that stands for another one, with what that calls the parameter.
    pub(crate) fn rename_param(mut self, rename: impl FnOnce(&str) -> String) -> Self {
        if let Some(param) = self.param() {
            let renamed = rename(param);
            let message = self.message().replace(&format!("'{param}'"), &format!("'{renamed}'"));
            let repr = Arc::make_mut(&mut self.0);
            (repr.message, repr.param) = (message, Some(renamed.into()));
        }
        self
    }

    /// What went wrong, to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status a hosted API would answer with; `None` outside of requests.
    pub fn status(&self) -> Option<u16> {
        self.0.kind.status()
    }

    /// The `type` of the API's error object, such as `invalid_request_error`.
    pub fn error_type(&self) -> &'static str {
        self.0.kind.error_type()
    }

    /// What happened and what to do about it.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The request parameter at fault, as a path such as `messages[0].role`.
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// A stable word for programs, such as `model_not_found`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref().or(self.0.kind.row().code)
    }

    /// When a repetition may succeed (ER5, ER6).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after.or(self.0.kind.row().retry_after).filter(|_| !self.0.is_final)
    }

    /// The file that cannot be read, for [`ErrorKind::ModelFile`].
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.retry_after().is_some()
    }

    /// The error as the API's JSON body.
    pub fn to_body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorObject {
                message: self.message().to_owned(),
                error_type: self.error_type().to_owned(),
                param: self.param().map(str::to_owned),
                code: self.code().map(str::to_owned),
            },
        }
    }

    /// The error that a reply with this status and body stands for.
    pub(crate) fn from_body(status: u16, body: &[u8]) -> Self {
        Error::read(body, |_| ErrorKind::from_status(status))
    }

    /// The error that an event of a stream stands for, which has a type and no status.
    pub(crate) fn from_event(data: &[u8]) -> Self {
        Error::read(data, |error_type| {
            let fits = |kind: &ErrorKind| kind.status().is_some() && kind.error_type() == error_type;
            ErrorKind::ALL.into_iter().find(fits).unwrap_or(ErrorKind::Internal)
        })
    }

    /// The error of a kind that is known, with what an error object says of it.
    pub(crate) fn from_object(kind: ErrorKind, object: ErrorObject) -> Self {
        let mut error = Error::new(kind, object.message);
        if let Some(param) = object.param {
            error = error.with_param(param);
        }
        if let Some(code) = object.code {
            error = error.with_code(code);
        }
        error
    }

    /// Reads an error object, whose type may tell its kind.
    fn read(body: &[u8], kind: impl Fn(&str) -> ErrorKind) -> Self {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error }) => Error::from_object(kind(&error.error_type), error),
            Err(_) => Error::new(kind(""), String::from_utf8_lossy(body)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("param", &self.0.param)
            .field("code", &self.0.code)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// The body of every failed reply: `{"error": {...}}` with all four keys (ER1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error object.
    pub error: ErrorObject,
}

/// The API's error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// What happened and what to do about it.
    pub message: String,
    /// The family of the error, such as `invalid_request_error`.
    #[serde(rename = "type")]
    pub error_type: String,
    /// The request parameter at fault.
    pub param: Option<String>,
    /// A stable word for programs; never a number.
    pub code: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_has_all_four_keys() {
        // ER1
        let body = serde_json::to_value(Error::internal("x").to_body()).unwrap();
        let error = body["error"].as_object().unwrap();
        assert_eq!(error.len(), 4);
        assert!(error["param"].is_null() && error["code"].is_null());
        assert_eq!(error["type"], "server_error");
    }

    #[test]
    fn a_body_round_trips_to_the_same_error() {
        // ER2
        for kind in ErrorKind::ALL {
            let Some(status) = kind.status() else { continue };
            let error = Error::new(kind, "m").with_param("p").with_code("c");
            let body = serde_json::to_vec(&error.to_body()).unwrap();
            let back = Error::from_body(status, &body);
            assert_eq!(back.kind(), kind);
            assert_eq!((back.param(), back.code(), back.message()), (Some("p"), Some("c"), "m"));
        }
    }
}
