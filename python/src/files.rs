//! Files that the engine keeps.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::door::PendingReply;
use crate::handle::Handle;
use crate::request::{Call, Reply, Schemas};
use crate::{errors, types};

const SCHEMAS: Schemas = Schemas { object: &types::FILE_OBJECT, event: types::Shape::Object(&types::FILE_OBJECT) };

/// What an id in a path is written without: all but what ids are made of.
const NOT_IN_IDS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The files of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Files(pub(crate) Arc<Handle>);

#[pymethods]
impl Files {
    /// Keeps a file, in memory, as long as the engine: gives a `FileObject`.
    ///
    /// `file` is what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one of
    /// these. `expires_after` is `{"anchor": "created_at", "seconds": ...}`.
    #[pyo3(signature = (*, file, purpose, expires_after = None))]
    fn create<'py>(
        &self,
        py: Python<'py>,
        file: &Bound<'py, PyAny>,
        purpose: &str,
        expires_after: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let reply = upload(py, file, purpose, expires_after)?.send(py, &self.0)?;
        reply.object(py, SCHEMAS.object)
    }

    /// `create` for event loops: the reply on its way.
    #[pyo3(signature = (*, file, purpose, expires_after = None))]
    fn _submit<'py>(
        &self,
        py: Python<'py>,
        file: &Bound<'py, PyAny>,
        purpose: &str,
        expires_after: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<PendingReply> {
        upload(py, file, purpose, expires_after)?.submit(py, &self.0, SCHEMAS)
    }

    /// The files: those behind the one of the id `after`, at most `limit`, the newest first unless
    /// `order` is `"asc"`.
    #[pyo3(signature = (*, after = None, limit = None, order = None, purpose = None))]
    fn list<'py>(
        &self,
        py: Python<'py>,
        after: Option<&str>,
        limit: Option<u32>,
        order: Option<&str>,
        purpose: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.page(py, after, limit, order, purpose)?.object(py, &types::SYNC_CURSOR_PAGE)
    }

    /// `list` for event loops, which it does not hold up.
    #[pyo3(signature = (*, after = None, limit = None, order = None, purpose = None))]
    fn _async_list<'py>(
        &self,
        py: Python<'py>,
        after: Option<&str>,
        limit: Option<u32>,
        order: Option<&str>,
        purpose: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.page(py, after, limit, order, purpose)?.object(py, &types::ASYNC_CURSOR_PAGE)
    }

    /// The file of this id. Raises `NotFoundError` if there is none.
    fn retrieve<'py>(&self, py: Python<'py>, file_id: &str) -> PyResult<Bound<'py, PyAny>> {
        Call::get(&path(py, file_id, "")?).send(py, &self.0)?.object(py, &types::FILE_OBJECT)
    }

    /// What is in the file of this id.
    fn content<'py>(&self, py: Python<'py>, file_id: &str) -> PyResult<Bound<'py, PyAny>> {
        static CONTENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let content = Call::get(&path(py, file_id, "/content")?).send(py, &self.0)?.bytes(py)?;
        CONTENT.import(py, "zerohop._files", "BinaryResponseContent")?.call1((content,))
    }

    /// Deletes the file of this id: gives a `FileDeleted`.
    fn delete<'py>(&self, py: Python<'py>, file_id: &str) -> PyResult<Bound<'py, PyAny>> {
        Call::without_body(http::Method::DELETE, &path(py, file_id, "")?)
            .send(py, &self.0)?
            .object(py, &types::FILE_DELETED)
    }

    fn __repr__(&self) -> String {
        format!("<files of {}>", self.0)
    }
}

impl Files {
    fn page(
        &self,
        py: Python<'_>,
        after: Option<&str>,
        limit: Option<u32>,
        order: Option<&str>,
        purpose: Option<&str>,
    ) -> PyResult<Reply> {
        let limit = limit.map(|limit| limit.to_string());
        let query = [("after", after), ("limit", limit.as_deref()), ("order", order), ("purpose", purpose)];
        let given = query.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let mut call = Call::get("/v1/files");
        call.add_query(&given.collect::<Vec<_>>());
        call.send(py, &self.0)
    }
}

fn path(py: Python<'_>, file_id: &str, behind: &str) -> PyResult<String> {
    if file_id.is_empty() {
        return Err(errors::invalid_argument(py, "file_id must not be empty"));
    }
    Ok(format!("/v1/files/{}{behind}", utf8_percent_encode(file_id, NOT_IN_IDS)))
}

/// The form that brings a file.
fn upload<'py>(
    py: Python<'py>,
    file: &Bound<'py, PyAny>,
    purpose: &str,
    expires_after: Option<&Bound<'py, PyDict>>,
) -> PyResult<Call> {
    static READ: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let (name, content): (String, Bound<'py, PyBytes>) =
        READ.import(py, "zerohop._files", "read_file")?.call1((file,))?.extract()?;
    let mut fields = vec![("purpose".to_owned(), purpose.to_owned())];
    for (key, value) in expires_after.into_iter().flatten() {
        fields.push((format!("expires_after[{key}]"), value.str()?.to_str()?.to_owned()));
    }
    let content = content.as_bytes();
    py.detach(|| Call::post_form("/v1/files", &fields, ("file", &name), content))
        .map_err(|error| errors::invalid_argument(py, &error.to_string()))
}
