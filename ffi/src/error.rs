//! Statuses, and the error object behind each failure.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use zerohop::ErrorKind;

use crate::guard::guard_or;
use crate::handle;
use crate::text::c_string;

/// What a call came to: 0 or above is an outcome, below 0 a failure, which comes
/// with a `zerohop_error`. The numbers never change and are never used again.
pub type zerohop_status = i32;

// Unlike other constants, these leave the type's name out: every call site spells
// one.

/// Done; outputs are written.
pub const ZEROHOP_OK: zerohop_status = 0;
/// The stream has no more events.
pub const ZEROHOP_END: zerohop_status = 1;
/// The time given to `zerohop_response_next_timeout` has passed, ask again; or that given
/// to `zerohop_engine_drain`.
pub const ZEROHOP_TIMEOUT: zerohop_status = 2;
/// The request was cancelled by the caller.
pub const ZEROHOP_CANCELLED: zerohop_status = 3;

/// An argument or option is missing or outside its range; `param` names it.
pub const ZEROHOP_INVALID_ARGUMENT: zerohop_status = -1;
/// A fault of the library that it caught in this call: please report it.
pub const ZEROHOP_PANIC: zerohop_status = -2;
/// The engine has been closed.
pub const ZEROHOP_CLOSED: zerohop_status = -3;
/// The model file does not exist or cannot be opened.
pub const ZEROHOP_MODEL_FILE: zerohop_status = -4;
/// The file is no usable model: not GGUF, truncated, or refused by llama.cpp.
pub const ZEROHOP_INVALID_MODEL: zerohop_status = -5;
/// A request that cannot be served as it is (HTTP 400).
pub const ZEROHOP_INVALID_REQUEST: zerohop_status = -6;
/// A missing or wrong API key (HTTP 401).
pub const ZEROHOP_AUTHENTICATION: zerohop_status = -7;
/// A request that is understood and refused (HTTP 403).
pub const ZEROHOP_PERMISSION_DENIED: zerohop_status = -8;
/// An unknown model, path or stored object (HTTP 404).
pub const ZEROHOP_NOT_FOUND: zerohop_status = -9;
/// A request that contradicts the state of an object (HTTP 409).
pub const ZEROHOP_CONFLICT: zerohop_status = -10;
/// The queue or a rate limit is full (HTTP 429).
pub const ZEROHOP_RATE_LIMIT: zerohop_status = -11;
/// A fault of the engine (HTTP 500).
pub const ZEROHOP_INTERNAL: zerohop_status = -12;
/// Loading, draining, or short of memory (HTTP 503).
pub const ZEROHOP_UNAVAILABLE: zerohop_status = -13;

/// A request that took longer than its time limit (HTTP 408).
pub const ZEROHOP_REQUEST_TIMEOUT: zerohop_status = -14;

/// Every status with its name.
const STATUSES: [(zerohop_status, &CStr); 18] = [
    (ZEROHOP_OK, c"ZEROHOP_OK"),
    (ZEROHOP_END, c"ZEROHOP_END"),
    (ZEROHOP_TIMEOUT, c"ZEROHOP_TIMEOUT"),
    (ZEROHOP_CANCELLED, c"ZEROHOP_CANCELLED"),
    (ZEROHOP_INVALID_ARGUMENT, c"ZEROHOP_INVALID_ARGUMENT"),
    (ZEROHOP_PANIC, c"ZEROHOP_PANIC"),
    (ZEROHOP_CLOSED, c"ZEROHOP_CLOSED"),
    (ZEROHOP_MODEL_FILE, c"ZEROHOP_MODEL_FILE"),
    (ZEROHOP_INVALID_MODEL, c"ZEROHOP_INVALID_MODEL"),
    (ZEROHOP_INVALID_REQUEST, c"ZEROHOP_INVALID_REQUEST"),
    (ZEROHOP_AUTHENTICATION, c"ZEROHOP_AUTHENTICATION"),
    (ZEROHOP_PERMISSION_DENIED, c"ZEROHOP_PERMISSION_DENIED"),
    (ZEROHOP_NOT_FOUND, c"ZEROHOP_NOT_FOUND"),
    (ZEROHOP_CONFLICT, c"ZEROHOP_CONFLICT"),
    (ZEROHOP_RATE_LIMIT, c"ZEROHOP_RATE_LIMIT"),
    (ZEROHOP_INTERNAL, c"ZEROHOP_INTERNAL"),
    (ZEROHOP_UNAVAILABLE, c"ZEROHOP_UNAVAILABLE"),
    (ZEROHOP_REQUEST_TIMEOUT, c"ZEROHOP_REQUEST_TIMEOUT"),
];

/// The one table from the core's kinds to statuses.
fn status_of(kind: ErrorKind) -> zerohop_status {
    match kind {
        ErrorKind::InvalidArgument => ZEROHOP_INVALID_ARGUMENT,
        ErrorKind::Closed => ZEROHOP_CLOSED,
        ErrorKind::Cancelled => ZEROHOP_CANCELLED,
        ErrorKind::ModelFile => ZEROHOP_MODEL_FILE,
        ErrorKind::InvalidModel => ZEROHOP_INVALID_MODEL,
        ErrorKind::InvalidRequest => ZEROHOP_INVALID_REQUEST,
        ErrorKind::Authentication => ZEROHOP_AUTHENTICATION,
        ErrorKind::PermissionDenied => ZEROHOP_PERMISSION_DENIED,
        ErrorKind::NotFound => ZEROHOP_NOT_FOUND,
        ErrorKind::Conflict => ZEROHOP_CONFLICT,
        ErrorKind::RateLimit => ZEROHOP_RATE_LIMIT,
        ErrorKind::Unavailable => ZEROHOP_UNAVAILABLE,
        ErrorKind::Timeout => ZEROHOP_REQUEST_TIMEOUT,
        // The enum may grow; a test walks it and fails for a kind without a line
        // of its own here.
        _ => ZEROHOP_INTERNAL,
    }
}

/// The name of a status, such as `"ZEROHOP_CLOSED"`, for logs; `"unknown"` for a
/// number that is none. Any thread; the text lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn zerohop_status_name(status: zerohop_status) -> *const c_char {
    let named = STATUSES.iter().find(|(known, _)| *known == status);
    named.map_or(c"unknown", |(_, name)| *name).as_ptr()
}

/// Why a call failed. Owned by whoever received it through `out_err`.
///
/// May be read by several threads at once. It outlives everything else: it holds
/// copies only.
#[derive(Debug)]
pub struct zerohop_error {
    _private: [u8; 0],
}

/// Why a call did not come to `ZEROHOP_OK`.
#[derive(Debug)]
pub(crate) struct Failure {
    status: zerohop_status,
    http_status: u16,
    error_type: CString,
    pub(crate) param: Option<CString>,
    code: Option<CString>,
    pub(crate) message: CString,
}

impl Failure {
    /// A missing or wrong argument or option.
    pub(crate) fn argument(name: &str, problem: &str) -> Self {
        Failure {
            status: ZEROHOP_INVALID_ARGUMENT,
            http_status: 0,
            error_type: c"invalid_request_error".to_owned(),
            param: Some(c_string(name)),
            code: None,
            message: c_string(&format!("{name}: {problem}")),
        }
    }

    /// A panic that was caught at the edge.
    pub(crate) fn panic(message: &str) -> Self {
        Failure {
            status: ZEROHOP_PANIC,
            http_status: 500,
            error_type: c"server_error".to_owned(),
            param: None,
            code: None,
            message: c_string(&format!("zerohop met a fault of its own, please report it: {message}")),
        }
    }

    /// A fault that is the library's or the program's as a whole.
    pub(crate) fn internal(message: &str) -> Self {
        Failure { status: ZEROHOP_INTERNAL, message: c_string(message), ..Failure::panic("") }
    }

    /// Short of threads or memory.
    pub(crate) fn unavailable(message: &str) -> Self {
        Failure { status: ZEROHOP_UNAVAILABLE, http_status: 503, ..Failure::internal(message) }
    }

    /// An engine that was closed.
    pub(crate) fn closed() -> Self {
        Failure {
            status: ZEROHOP_CLOSED,
            http_status: 0,
            error_type: c"invalid_request_error".to_owned(),
            ..Failure::internal("the engine has been closed")
        }
    }

    pub(crate) fn status(&self) -> zerohop_status {
        self.status
    }

    /// An owned error for the C caller. NULL for the statuses above OK, which are
    /// outcomes: nobody made a mistake, so there is nothing to free.
    pub(crate) fn into_error(self) -> *mut zerohop_error {
        if self.status < ZEROHOP_OK { handle::give(Box::new(self)) } else { ptr::null_mut() }
    }
}

impl From<zerohop::Error> for Failure {
    fn from(error: zerohop::Error) -> Self {
        Failure {
            status: status_of(error.kind()),
            http_status: error.status().unwrap_or(0),
            error_type: c_string(error.error_type()),
            param: error.param().map(c_string),
            code: error.code().map(c_string),
            message: c_string(error.message()),
        }
    }
}

/// The status that the failed call returned; `ZEROHOP_OK` for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_error_status(error: *const zerohop_error) -> zerohop_status {
    // SAFETY: the C caller passes NULL or an error that it has not freed.
    let error = unsafe { handle::borrow(error) };
    error.map_or(ZEROHOP_OK, |error| error.status)
}

/// The HTTP status with which a hosted API would report this; 0 where there is
/// none (a file that cannot be loaded, a closed engine) and for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_error_http_status(error: *const zerohop_error) -> u16 {
    // SAFETY: the C caller passes NULL or an error that it has not freed.
    let error = unsafe { handle::borrow(error) };
    error.map_or(0, |error| error.http_status)
}

/// What happened and what to do about it, for people. Never NULL; empty for NULL.
///
/// Any thread. The text is valid until the error is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_error_message(error: *const zerohop_error) -> *const c_char {
    // SAFETY: the C caller passes NULL or an error that it has not freed.
    let error = unsafe { handle::borrow(error) };
    error.map_or(c"", |error| &error.message).as_ptr()
}

/// The family of the error in the API's words, such as `"invalid_request_error"`;
/// NULL for NULL.
///
/// Any thread. The text is valid until the error is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_error_type(error: *const zerohop_error) -> *const c_char {
    // SAFETY: the C caller passes NULL or an error that it has not freed.
    let error = unsafe { handle::borrow(error) };
    error.map_or(ptr::null(), |error| error.error_type.as_ptr())
}

/// The argument, option or request parameter at fault, such as `"models[0].path"`;
/// NULL if there is none.
///
/// Any thread. The text is valid until the error is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_error_param(error: *const zerohop_error) -> *const c_char {
    // SAFETY: the C caller passes NULL or an error that it has not freed.
    let error = unsafe { handle::borrow(error) };
    error.and_then(|error| error.param.as_deref()).map_or(ptr::null(), CStr::as_ptr)
}

/// The API's stable word for the error, such as `"model_not_found"`; NULL if there
/// is none.
///
/// Any thread. The text is valid until the error is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_error_code(error: *const zerohop_error) -> *const c_char {
    // SAFETY: the C caller passes NULL or an error that it has not freed.
    let error = unsafe { handle::borrow(error) };
    error.and_then(|error| error.code.as_deref()).map_or(ptr::null(), CStr::as_ptr)
}

/// Frees an error and the texts that came from it. NULL is ignored.
///
/// Any thread, once, when no other thread uses the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_error_free(error: *mut zerohop_error) {
    // SAFETY: the C caller passes NULL or an error of ours, and does not use it
    // again.
    let error = unsafe { handle::take(error) };
    guard_or((), || drop(error));
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What a call has written to its `out_err`.
    pub(crate) fn take_error(error: *mut zerohop_error) -> Failure {
        // SAFETY: the tests pass errors that a guarded call just handed out.
        *unsafe { handle::take(error) }.expect("the call gives an error")
    }

    pub(crate) fn failure_with(status: zerohop_status) -> Failure {
        Failure { status, ..Failure::argument("", "") }
    }

    #[test]
    fn every_kind_has_a_status_of_its_own() {
        let statuses: HashSet<_> = ErrorKind::ALL.into_iter().map(status_of).collect();
        assert_eq!(statuses.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn every_status_has_one_name_and_a_source() {
        let from_core: HashSet<_> = ErrorKind::ALL.into_iter().map(status_of).collect();
        let of_our_own = HashSet::from([ZEROHOP_OK, ZEROHOP_END, ZEROHOP_TIMEOUT, ZEROHOP_PANIC]);
        let named: HashSet<_> = STATUSES.iter().map(|(status, _)| *status).collect();
        assert_eq!(named, from_core.union(&of_our_own).copied().collect());
        assert_eq!(named.len(), STATUSES.len());
        let distinct: HashSet<_> = STATUSES.iter().map(|(_, name)| *name).collect();
        assert_eq!(distinct.len(), STATUSES.len());
    }

    #[test]
    fn kinds_that_http_knows_are_failures() {
        for kind in ErrorKind::ALL {
            assert!(kind.status().is_none() || status_of(kind) < ZEROHOP_OK, "{kind:?}");
        }
    }

    #[test]
    fn an_error_keeps_what_the_core_said() {
        let core = zerohop::Engine::builder().model("m", "no-such-file.gguf").build().unwrap_err();
        let failure = Failure::from(core.clone());
        assert_eq!((failure.status, failure.http_status), (ZEROHOP_MODEL_FILE, 0));
        assert_eq!(failure.message.to_str(), Ok(core.message()));
    }
}
