//! Who calls an engine, and in what form the reply comes.

use std::fmt;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::handle::Handle;
use crate::reply::Reading;
use crate::request::Call;

/// An engine and who calls it, which the objects of the resource tree share.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) handle: Arc<Handle>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It waits for replies.
    Thread,
    /// It gets `PendingReply` for each.
    EventLoop,
}

impl Caller {
    /// Sends a call.
    ///
    /// # Errors
    ///
    /// For threads the exception for a reply with status 400 or more, and for everyone what keeps the call
    /// from being sent.
    pub(crate) fn send<'py>(&self, py: Python<'py>, call: Call, reading: Reading) -> PyResult<Bound<'py, PyAny>> {
        match self.kind {
            Kind::Thread => call.send(py, &self.handle)?.read(py, reading),
            Kind::EventLoop => Ok(Bound::new(py, call.submit(py, &self.handle, reading)?)?.into_any()),
        }
    }
}

/// As in the `repr` of the objects that have it.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}
