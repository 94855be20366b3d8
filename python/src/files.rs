//! Files that the engine keeps.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::lists::List;
use crate::reply::Reading;
use crate::request::{Call, path_of};
use crate::types;

const PATH: &str = "/v1/files";

/// The files of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Files(pub(crate) Caller);

#[pymethods]
impl Files {
    /// Keeps a file, in memory, as long as the engine: gives a `FileObject`.
    ///
    /// `file` is what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one of
    /// these. `expires_after` is `{"anchor": "created_at", "seconds": ...}`.
    #[pyo3(signature = (*, file, purpose, expires_after = None, **options), text_signature = "($self, *, file, \
        purpose, expires_after=None, extra_headers=None, extra_query=None, timeout=None)")]
    fn create<'py>(
        &self,
        py: Python<'py>,
        file: &Bound<'py, PyAny>,
        purpose: &str,
        expires_after: Option<&Bound<'py, PyDict>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            upload(file, purpose, expires_after)?.with_options("Files.create", options)?,
            Reading::Object(&types::FILE_OBJECT),
        )
    }

    /// The files, in pages: those behind the one of the id `after`, `limit` a page, the newest first
    /// unless `order` is `"asc"`.
    #[pyo3(signature = (*, after = None, limit = None, order = None, purpose = None, **options),
        text_signature = "($self, *, after=None, limit=None, order=None, purpose=None, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        after: Option<&str>,
        limit: Option<i64>,
        order: Option<&str>,
        purpose: Option<&str>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list = List::new(&self.0, PATH, &types::FILE_PAGES).with("after", after).with("limit", limit);
        list.with("order", order).with("purpose", purpose).with_options("Files.list", options)?.page(py)
    }

    /// The file of this id. Raises `NotFoundError` if there is none.
    #[pyo3(signature = (file_id, **options), text_signature = "($self, file_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn retrieve<'py>(
        &self,
        py: Python<'py>,
        file_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            Call::get(&path(py, file_id, "")?).with_options("Files.retrieve", options)?,
            Reading::Object(&types::FILE_OBJECT),
        )
    }

    /// What is in the file of this id.
    #[pyo3(signature = (file_id, **options), text_signature = "($self, file_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn content<'py>(
        &self,
        py: Python<'py>,
        file_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            Call::get(&path(py, file_id, "/content")?).with_options("Files.content", options)?,
            Reading::Content,
        )
    }

    /// Deletes the file of this id: gives a `FileDeleted`.
    #[pyo3(signature = (file_id, **options), text_signature = "($self, file_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn delete<'py>(
        &self,
        py: Python<'py>,
        file_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            Call::delete(&path(py, file_id, "")?).with_options("Files.delete", options)?,
            Reading::Object(&types::FILE_DELETED),
        )
    }

    fn __repr__(&self) -> String {
        format!("<files of {}>", self.0)
    }
}

fn path(py: Python<'_>, file_id: &str, rest: &str) -> PyResult<String> {
    path_of(py, PATH, ("file_id", file_id), rest)
}

/// The form that brings a file.
fn upload(file: &Bound<'_, PyAny>, purpose: &str, expires_after: Option<&Bound<'_, PyDict>>) -> PyResult<Call> {
    let mut fields = vec![("purpose".to_owned(), purpose.to_owned())];
    for (key, value) in expires_after.into_iter().flatten() {
        fields.push((format!("expires_after[{key}]"), value.str()?.to_str()?.to_owned()));
    }
    Call::post_form(PATH, &fields, file)
}
