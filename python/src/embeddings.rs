//! Embeddings.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::json::Json;
use crate::method::Method;
use crate::reply::Reading;
use crate::types;

static CREATE: Method = Method {
    name: "Embeddings.create",
    path: "/v1/embeddings",
    parameters: &["input", "model", "dimensions", "encoding_format", "user"],
    required: &["input"],
    iterables: &["input"],
    // For a reply without vectors of ours: the text of the vectors stays.
    reading: Reading::Object(&types::CREATE_EMBEDDING_RESPONSE),
};

/// The embeddings of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Embeddings(pub(crate) Caller);

#[pymethods]
impl Embeddings {
    /// Turns texts into vectors of length 1: gives a `CreateEmbeddingResponse`.
    ///
    /// `input` is a text, texts, a text's tokens, or several texts' tokens. The other parameters are the
    /// API's. `model` may be left out if the engine has one model. Each `embedding` is a list of floats,
    /// or text if `encoding_format` is `"base64"`; `vectors` of the reply has all of them for numpy,
    /// without copying. `timeout` is the number of seconds that the answer may take; none by default.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, input, model=..., dimensions=..., \
        encoding_format=..., user=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn create<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        let mut call = CREATE.call(&self.0.handle, arguments, py)?;
        let floats = match call.parameter("encoding_format") {
            None | Some(Json::Null) => true,
            Some(Json::Text(format)) => format == "float",
            Some(_) => false,
        };
        if !floats {
            return self.0.send(py, call, CREATE.reading.clone());
        }
        // Numbers as text take longer to write and to read than base64, as openai's SDK found too.
        call.set("encoding_format", Json::Text("base64".to_owned()));
        self.0.send(py, call, Reading::Vectors)
    }

    fn __repr__(&self) -> String {
        format!("<embeddings of {}>", self.0)
    }
}
