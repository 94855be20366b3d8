//! Chat completions.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::lists::List;
use crate::method::{Method, read_parameter};
use crate::reply::Reading;
use crate::request::{Call, path_of};
use crate::types;

const PATH: &str = "/v1/chat/completions";

static CREATE: Method = Method {
    name: "Completions.create",
    path: PATH,
    parameters: &[
        "messages",
        "model",
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "modalities",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    ],
    required: &["messages"],
    iterables: &["functions", "messages", "tools"],
    reading: Reading::ObjectOrStream(&types::CHAT_COMPLETION, types::Shape::Object(&types::CHAT_COMPLETION_CHUNK)),
};

/// The chat endpoints of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Chat(pub(crate) Caller);

#[pymethods]
impl Chat {
    /// Chat completions: `create(...)`.
    #[getter]
    fn completions(&self) -> Completions {
        Completions(self.0.clone())
    }

    fn __repr__(&self) -> String {
        format!("<chat of {}>", self.0)
    }
}

/// The chat completions of an engine.
///
/// Those that were asked for with `store` are kept in memory, beside the responses, whose bounds they
/// share.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Completions(Caller);

#[pymethods]
impl Completions {
    /// Answers a conversation: with a `ChatCompletion`, or with a `Stream` of `ChatCompletionChunk`s
    /// if `stream` is true.
    ///
    /// The parameters are the API's. `model` may be left out if the engine has one model. Parameters
    /// that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is the number of
    /// seconds that the answer, or each chunk of a stream, may take; none by default.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, messages, model=..., audio=..., \
        frequency_penalty=..., function_call=..., functions=..., logit_bias=..., logprobs=..., \
        max_completion_tokens=..., max_tokens=..., metadata=..., modalities=..., moderation=..., n=..., \
        parallel_tool_calls=..., prediction=..., presence_penalty=..., prompt_cache_key=..., \
        prompt_cache_options=..., prompt_cache_retention=..., reasoning_effort=..., response_format=..., \
        safety_identifier=..., seed=..., service_tier=..., stop=..., store=..., stream=..., stream_options=..., \
        temperature=..., tool_choice=..., tools=..., top_logprobs=..., top_p=..., user=..., verbosity=..., \
        web_search_options=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn create<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        CREATE.send(py, &self.0, arguments)
    }

    /// The chat completion of this id, if it was kept. Raises `NotFoundError` if there is none.
    #[pyo3(signature = (completion_id, **options), text_signature = "($self, completion_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn retrieve<'py>(
        &self,
        py: Python<'py>,
        completion_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::get(&path(py, completion_id, "")?).with_options("Completions.retrieve", options)?;
        self.0.send(py, call, Reading::Object(&types::CHAT_COMPLETION))
    }

    /// Gives a kept chat completion other labels: `metadata` in place of those it has. Raises
    /// `NotFoundError` if there is none of this id.
    #[pyo3(signature = (completion_id, *, metadata, **options), text_signature = "($self, completion_id, *, \
        metadata, extra_headers=None, extra_query=None, timeout=None)")]
    fn update<'py>(
        &self,
        py: Python<'py>,
        completion_id: &str,
        metadata: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut call = Call::post(&path(py, completion_id, "")?).with_options("Completions.update", options)?;
        call.set("metadata", read_parameter("metadata", metadata, false)?);
        self.0.send(py, call, Reading::Object(&types::CHAT_COMPLETION))
    }

    /// The chat completions that are kept, in pages: those behind the one of the id `after`, `limit` a
    /// page (by default 20), of this `model` and with all these labels (`metadata`); the oldest first
    /// unless `order` is `"desc"`.
    #[pyo3(signature = (*, after = None, limit = None, metadata = None, model = None, order = None, **options),
        text_signature = "($self, *, after=None, limit=None, metadata=None, model=None, order=None, \
        extra_headers=None, extra_query=None, timeout=None)")]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        after: Option<&str>,
        limit: Option<i64>,
        metadata: Option<BTreeMap<String, String>>,
        model: Option<&str>,
        order: Option<&str>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list = List::new(&self.0, PATH, &types::CHAT_COMPLETION_PAGES);
        let list = list.with("after", after).with("limit", limit).with("model", model).with("order", order);
        let labels = metadata.unwrap_or_default().into_iter();
        labels
            .fold(list, |list, (name, value)| list.with(format!("metadata[{name}]"), Some(value)))
            .with_options("Completions.list", options)?
            .page(py)
    }

    /// Forgets a kept chat completion. Raises `NotFoundError` if there is none of this id.
    #[pyo3(signature = (completion_id, **options), text_signature = "($self, completion_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn delete<'py>(
        &self,
        py: Python<'py>,
        completion_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::delete(&path(py, completion_id, "")?).with_options("Completions.delete", options)?;
        self.0.send(py, call, Reading::Object(&types::CHAT_COMPLETION_DELETED))
    }

    /// The messages of kept chat completions: `list(completion_id)`.
    #[getter]
    fn messages(&self) -> Messages {
        Messages(self.0.clone())
    }

    fn __repr__(&self) -> String {
        format!("<chat.completions of {}>", self.0)
    }
}

/// The messages that kept chat completions answer.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Messages(Caller);

#[pymethods]
impl Messages {
    /// The messages that a kept chat completion answers, in pages: those behind the one of the id
    /// `after`, `limit` a page (by default 20), in their order unless `order` is `"desc"`. Raises
    /// `NotFoundError` if there is no chat completion of this id.
    #[pyo3(signature = (completion_id, *, after = None, limit = None, order = None, **options),
        text_signature = "($self, completion_id, *, after=None, limit=None, order=None, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        completion_id: &str,
        after: Option<&str>,
        limit: Option<i64>,
        order: Option<&str>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list = List::new(&self.0, path(py, completion_id, "/messages")?, &types::MESSAGE_PAGES);
        list.with("after", after)
            .with("limit", limit)
            .with("order", order)
            .with_options("Messages.list", options)?
            .page(py)
    }

    fn __repr__(&self) -> String {
        format!("<chat.completions.messages of {}>", self.0)
    }
}

fn path(py: Python<'_>, completion_id: &str, rest: &str) -> PyResult<String> {
    path_of(py, PATH, ("completion_id", completion_id), rest)
}
