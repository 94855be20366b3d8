//! Lists, which come in pages.

use std::fmt::Display;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::{Caller, Kind};
use crate::reply::Reading;
use crate::request::{Call, Options};
use crate::types::{Pages, Schema};

/// A list of the engine's, as a call asks for a page of it.
#[derive(Clone)]
pub(crate) struct List {
    caller: Caller,
    path: String,
    query: Vec<(String, String)>,
    /// Of the calls for all of its pages.
    options: Options,
    pages: &'static Pages,
}

impl List {
    pub(crate) fn new(caller: &Caller, path: impl Into<String>, pages: &'static Pages) -> Self {
        List { caller: caller.clone(), path: path.into(), query: Vec::new(), options: Options::default(), pages }
    }

    /// Sets a parameter of the query, if there is a value for it.
    pub(crate) fn with(mut self, name: impl Into<String>, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.query.push((name.into(), value.to_string()));
        }
        self
    }

    /// Reads a method's `extra_headers`, `extra_query` and `timeout`, and refuses what else it is given.
    pub(crate) fn with_options(mut self, method: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.options = Options::read(method, options)?;
        Ok(self)
    }

    /// The page that is asked for.
    pub(crate) fn page(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let mut call = Call::get(&self.path).with(self.options.clone());
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
