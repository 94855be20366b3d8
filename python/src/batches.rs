//! Batches in the background.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::lists::List;
use crate::method::Method;
use crate::reply::Reading;
use crate::request::{Call, path_of};
use crate::types;

const PATH: &str = "/v1/batches";

static CREATE: Method = Method {
    name: "Batches.create",
    path: PATH,
    parameters: &["completion_window", "endpoint", "input_file_id", "metadata", "output_expires_after"],
    required: &["endpoint", "input_file_id"],
    iterables: &[],
    reading: Reading::Object(&types::BATCH),
};

/// The batches of an engine: files of requests that are answered in the background, one after another.
///
/// They and their files are in memory and go with the engine; `Engine.batch` is for what must outlive the
/// process.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Batches(pub(crate) Caller);

#[pymethods]
impl Batches {
    /// Begins to answer a file of requests, which was kept for the purpose `"batch"`, and returns at
    /// once: gives a `Batch`. Ask `retrieve` how far it is.
    ///
    /// `endpoint` is the path of all its requests, such as `"/v1/chat/completions"`. `completion_window`
    /// is always `"24h"`, also if it is left out.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, endpoint, input_file_id, \
        completion_window='24h', metadata=..., output_expires_after=..., extra_headers=None, extra_query=None, \
        extra_body=None, timeout=None)")]
    fn create<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        let with_window = PyDict::new(py);
        with_window.set_item("completion_window", "24h")?;
        if let Some(arguments) = arguments {
            with_window.update(arguments.as_mapping())?;
        }
        CREATE.send(py, &self.0, Some(&with_window))
    }

    /// The batch of this id. Raises `NotFoundError` if there is none.
    #[pyo3(signature = (batch_id, **options), text_signature = "($self, batch_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn retrieve<'py>(
        &self,
        py: Python<'py>,
        batch_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            Call::get(&path(py, batch_id, "")?).with_options("Batches.retrieve", options)?,
            Reading::Object(&types::BATCH),
        )
    }

    /// The batches, in pages: those behind the one of the id `after`, `limit` a page (by default 20), the
    /// newest first.
    #[pyo3(signature = (*, after = None, limit = None, **options), text_signature = "($self, *, after=None, \
        limit=None, extra_headers=None, extra_query=None, timeout=None)")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        after: Option<&str>,
        limit: Option<i64>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        List::new(&self.0, PATH, &types::BATCH_PAGES)
            .with("after", after)
            .with("limit", limit)
            .with_options("Batches.list", options)?
            .page(py)
    }

    /// Ends the batch of this id. What it has finished stays, in its files.
    #[pyo3(signature = (batch_id, **options), text_signature = "($self, batch_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn cancel<'py>(
        &self,
        py: Python<'py>,
        batch_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::without_body(http::Method::POST, &path(py, batch_id, "/cancel")?)
            .with_options("Batches.cancel", options)?;
        self.0.send(py, call, Reading::Object(&types::BATCH))
    }

    fn __repr__(&self) -> String {
        format!("<batches of {}>", self.0)
    }
}

fn path(py: Python<'_>, batch_id: &str, rest: &str) -> PyResult<String> {
    path_of(py, PATH, ("batch_id", batch_id), rest)
}
