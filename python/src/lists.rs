//! Lists, which come in pages.

use std::fmt::Display;

use pyo3::prelude::*;

use crate::caller::{Caller, Kind};
use crate::reply::Reading;
use crate::request::Call;
use crate::types::{Pages, Schema};

/// A list of the engine's, as a call asks for a page of it.
#[derive(Clone)]
pub(crate) struct List {
    caller: Caller,
    path: String,
    query: Vec<(String, String)>,
    pages: &'static Pages,
}

impl List {
    pub(crate) fn new(caller: &Caller, path: impl Into<String>, pages: &'static Pages) -> Self {
        List { caller: caller.clone(), path: path.into(), query: Vec::new(), pages }
    }

    /// Sets a parameter of the query, if there is a value for it.
    pub(crate) fn with(mut self, name: impl Into<String>, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.query.push((name.into(), value.to_string()));
        }
        self
    }

    /// The page that is asked for.
    pub(crate) fn page(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let mut call = Call::get(&self.path);
        call.add_query(&self.query);
        let caller = self.caller.clone();
        caller.send(py, call, Reading::Page(self))
    }

    /// The page behind the entry of this id.
    pub(crate) fn page_behind<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Bound<'py, PyAny>> {
        let mut next = self.clone();
        next.query.retain(|(name, _)| name != "after");
        next.with("after", Some(id)).page(py)
    }

    /// The schema of its pages.
    pub(crate) fn schema(&self) -> &'static Schema {
        match self.caller.kind {
            Kind::Thread => &self.pages.sync,
            Kind::EventLoop => &self.pages.asynchronous,
        }
    }
}
