//! The list of models.

use std::sync::Arc;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::prelude::*;

use crate::door::PendingReply;
use crate::handle::Handle;
use crate::request::{Call, Reply, Schemas};
use crate::{errors, types};

/// The models as the API lists them.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Models(pub(crate) Arc<Handle>);

#[pymethods]
impl Models {
    /// Every name that requests may use in `model`.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, "/v1/models", &types::SYNC_PAGE)
    }

    /// `list` for event loops, which it does not hold up.
    fn _async_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, "/v1/models", &types::ASYNC_PAGE)
    }

    /// The model of this name. Raises `NotFoundError` if there is none.
    fn retrieve<'py>(&self, py: Python<'py>, model: &str) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, &path(py, model)?, &types::MODEL)
    }

    /// Unloads a model that `engine.load` has loaded. Raises `NotFoundError` if there is none of this
    /// name, `PermissionDeniedError` if the engine was made with it.
    fn delete<'py>(&self, py: Python<'py>, model: &str) -> PyResult<Bound<'py, PyAny>> {
        let reply = deletion(py, model)?.send(py, &self.0)?;
        Reply::object(reply, py, &types::MODEL_DELETED)
    }

    /// `delete` for event loops.
    fn _submit_delete(&self, py: Python<'_>, model: &str) -> PyResult<PendingReply> {
        let schemas = Schemas { object: &types::MODEL_DELETED, event: types::Shape::Plain };
        deletion(py, model)?.submit(py, &self.0, schemas)
    }

    fn __repr__(&self) -> String {
        format!("<models of {}>", self.0)
    }
}

impl Models {
    fn get<'py>(&self, py: Python<'py>, path: &str, schema: &'static types::Schema) -> PyResult<Bound<'py, PyAny>> {
        let reply = Call::get(path).send(py, &self.0)?;
        Reply::object(reply, py, schema)
    }
}

fn deletion(py: Python<'_>, model: &str) -> PyResult<Call> {
    Ok(Call::without_body(Method::DELETE, &path(py, model)?))
}

fn path(py: Python<'_>, model: &str) -> PyResult<String> {
    if model.is_empty() {
        return Err(errors::invalid_argument(py, "model must not be empty"));
    }
    Ok(format!("/v1/models/{}", utf8_percent_encode(model, NON_ALPHANUMERIC)))
}
