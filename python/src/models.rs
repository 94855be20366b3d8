//! The list of models.

use pyo3::prelude::*;

use crate::caller::Caller;
use crate::lists::List;
use crate::reply::Reading;
use crate::request::{Call, path_of};
use crate::types;

const PATH: &str = "/v1/models";

/// The models as the API lists them.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Models(pub(crate) Caller);

#[pymethods]
impl Models {
    /// Every name that requests may use in `model`.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        List::new(&self.0, PATH, &types::MODEL_PAGES).page(py)
    }

    /// The model of this name. Raises `NotFoundError` if there is none.
    fn retrieve<'py>(&self, py: Python<'py>, model: &str) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(py, Call::get(&path(py, model)?), Reading::Object(&types::MODEL))
    }

    /// Unloads a model that `engine.load` has loaded. Raises `NotFoundError` if there is none of this
    /// name, `PermissionDeniedError` if the engine was made with it.
    fn delete<'py>(&self, py: Python<'py>, model: &str) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(py, Call::delete(&path(py, model)?), Reading::Object(&types::MODEL_DELETED))
    }

    fn __repr__(&self) -> String {
        format!("<models of {}>", self.0)
    }
}

fn path(py: Python<'_>, model: &str) -> PyResult<String> {
    path_of(py, PATH, ("model", model), "")
}
