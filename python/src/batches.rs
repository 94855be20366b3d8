//! Batches in the background.

use std::sync::Arc;

use http::Method as HttpMethod;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::handle::Handle;
use crate::method::Method;
use crate::request::{Call, Reply, Schemas};
use crate::{errors, types};

static CREATE: Method = Method {
    name: "Batches.create",
    path: "/v1/batches",
    parameters: &["completion_window", "endpoint", "input_file_id", "metadata", "output_expires_after"],
    required: &["endpoint", "input_file_id"],
    iterables: &[],
    schemas: Schemas { object: &types::BATCH, event: types::Shape::Object(&types::BATCH) },
};

/// The batches of an engine: files of requests that are answered in the background, one after another.
///
/// They and their files are in memory and go with the engine; `Engine.batch` is for what must outlive the
/// process.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Batches(pub(crate) Arc<Handle>);

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
    fn retrieve<'py>(&self, py: Python<'py>, batch_id: &str) -> PyResult<Bound<'py, PyAny>> {
        Call::get(&path(py, batch_id, "")?).send(py, &self.0)?.object(py, &types::BATCH)
    }

    /// The batches: those behind the one of the id `after`, at most `limit` (by default 20), the newest
    /// first.
    #[pyo3(signature = (*, after = None, limit = None))]
    fn list<'py>(&self, py: Python<'py>, after: Option<&str>, limit: Option<u32>) -> PyResult<Bound<'py, PyAny>> {
        self.page(py, after, limit)?.object(py, &types::SYNC_BATCH_PAGE)
    }

    /// `list` for event loops, which it does not hold up.
    #[pyo3(signature = (*, after = None, limit = None))]
    fn _async_list<'py>(
        &self,
        py: Python<'py>,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.page(py, after, limit)?.object(py, &types::ASYNC_BATCH_PAGE)
    }

    /// Ends the batch of this id. What it has finished stays, in its files.
    fn cancel<'py>(&self, py: Python<'py>, batch_id: &str) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::without_body(HttpMethod::POST, &path(py, batch_id, "/cancel")?);
        call.send(py, &self.0)?.object(py, &types::BATCH)
    }

    fn __repr__(&self) -> String {
        format!("<batches of {}>", self.0)
    }
}

impl Batches {
    fn page(&self, py: Python<'_>, after: Option<&str>, limit: Option<u32>) -> PyResult<Reply> {
        let limit = limit.map(|limit| limit.to_string());
        let query = [("after", after), ("limit", limit.as_deref())];
        let given = query.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let mut call = Call::get("/v1/batches");
        call.add_query(&given.collect::<Vec<_>>());
        call.send(py, &self.0)
    }
}

fn path(py: Python<'_>, batch_id: &str, behind: &str) -> PyResult<String> {
    if batch_id.is_empty() {
        return Err(errors::invalid_argument(py, "batch_id must not be empty"));
    }
    Ok(format!("/v1/batches/{}{behind}", utf8_percent_encode(batch_id, NON_ALPHANUMERIC)))
}
