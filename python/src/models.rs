//! The list of models.

use pyo3::prelude::*;
use pyo3::types::PyDict;

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
    #[pyo3(signature = (**options), text_signature = "($self, *, extra_headers=None, extra_query=None, \
        timeout=None)")]
    fn list<'py>(&self, py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        List::new(&self.0, PATH, &types::MODEL_PAGES).with_options("Models.list", options)?.page(py)
    }

    /// The model of this name. Raises `NotFoundError` if there is none.
    #[pyo3(signature = (model, **options), text_signature = "($self, model, *, extra_headers=None, extra_query=None, \
        timeout=None)")]
    fn retrieve<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            Call::get(&path(py, model)?).with_options("Models.retrieve", options)?,
            Reading::Object(&types::MODEL),
        )
    }

    /// Unloads a model that `engine.load` has loaded. Raises `NotFoundError` if there is none of this
    /// name, `PermissionDeniedError` if the engine was made with it.
    #[pyo3(signature = (model, **options), text_signature = "($self, model, *, extra_headers=None, extra_query=None, \
        timeout=None)")]
    fn delete<'py>(
        &self,
        py: Python<'py>,
        model: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            Call::delete(&path(py, model)?).with_options("Models.delete", options)?,
            Reading::Object(&types::MODEL_DELETED),
        )
    }

    fn __repr__(&self) -> String {
        format!("<models of {}>", self.0)
    }
}

fn path(py: Python<'_>, model: &str) -> PyResult<String> {
    path_of(py, PATH, ("model", model), "")
}
