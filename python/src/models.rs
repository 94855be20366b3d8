//! The list of models.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::prelude::*;

use crate::handle::Handle;
use crate::request::{Call, Reply};
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
        if model.is_empty() {
            return Err(errors::invalid_argument(py, "model must not be empty"));
        }
        let name = utf8_percent_encode(model, NON_ALPHANUMERIC);
        self.get(py, &format!("/v1/models/{name}"), &types::MODEL)
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
