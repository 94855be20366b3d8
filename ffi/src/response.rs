//! Responses: a whole body, or events one after the other.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use zerohop::{Body, CancelHandle, EventStream};

use crate::cancel::{CancelToken, Registration};
use crate::error::{Failure, ZEROHOP_END, ZEROHOP_OK, ZEROHOP_TIMEOUT, zerohop_error, zerohop_status};
use crate::guard::{guard, guard_or};
use crate::handle;
use crate::text::{Out, Owned, c_string, required, zerohop_str};

/// A reply: status, headers, and either a whole body or a stream of events.
///
/// Functions that take it as `const` may be called by several threads at once, the
/// others by one thread at a time. It may outlive its engine.
pub struct zerohop_response {
    _private: [u8; 0],
}

#[derive(Debug)]
pub(crate) struct Response {
    status: u16,
    headers: Vec<(String, CString)>,
    /// What is to be read now: the whole body, or the current event.
    current: Mutex<Current>,
    /// The whole body again, for readers that must not wait for the lock.
    stream: Option<Stream>,
}
