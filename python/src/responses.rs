//! The Responses API.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::lists::List;
use crate::method::Method;
use crate::reply::Reading;
use crate::request::{Call, path_of};
use crate::types;

const PATH: &str = "/v1/responses";

static CREATE: Method = Method {
    name: "Responses.create",
    path: PATH,
    parameters: &[
        "access_programs",
        "background",
        "background_options",
        "context_management",
        "conversation",
        "image",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ],
    required: &[],
    iterables: &["context_management", "input", "tools"],
    reading: Reading::ObjectOrStream(&types::RESPONSE_OBJECT, types::RESPONSE_STREAM_EVENT),
};

static COUNT: Method = Method {
    name: "InputTokens.count",
    path: "/v1/responses/input_tokens",
    parameters: &[
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "personality",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    ],
    required: &[],
    iterables: &["input", "tools"],
    reading: Reading::Object(&types::INPUT_TOKEN_COUNT_RESPONSE),
};

/// The responses of an engine.
///
/// They are kept in memory unless `store` is false: at most 4096 objects (chat completions with `store`
/// among them) of 64 MiB together. What was not used for longest goes first.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Responses(pub(crate) Caller);

#[pymethods]
impl Responses {
    /// Answers a conversation: with a `Response`, or with a `Stream` of events if `stream` is true.
    ///
    /// The parameters are the API's. `model` may be left out if the engine has one model. Parameters
    /// that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is the number of
    /// seconds that the answer, or each event of a stream, may take; none by default.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, access_programs=..., background=..., \
        background_options=..., context_management=..., conversation=..., image=..., include=..., input=..., \
        instructions=..., max_output_tokens=..., max_tool_calls=..., metadata=..., model=..., moderation=..., \
        parallel_tool_calls=..., previous_response_id=..., prompt=..., prompt_cache_key=..., \
        prompt_cache_options=..., prompt_cache_retention=..., reasoning=..., safety_identifier=..., \
        service_tier=..., store=..., stream=..., stream_options=..., temperature=..., text=..., tool_choice=..., \
        tools=..., top_logprobs=..., top_p=..., truncation=..., user=..., extra_headers=None, extra_query=None, \
        extra_body=None, timeout=None)")]
    fn create<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        CREATE.send(py, &self.0, arguments)
    }

    /// The response of this id, if it was kept. Raises `NotFoundError` if there is none.
    #[pyo3(signature = (response_id, **options), text_signature = "($self, response_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn retrieve<'py>(
        &self,
        py: Python<'py>,
        response_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::get(&path(py, response_id, "")?).with_options("Responses.retrieve", options)?;
        self.0.send(py, call, Reading::Object(&types::RESPONSE_OBJECT))
    }

    /// Forgets a response. Raises `NotFoundError` if there is none of this id.
    #[pyo3(signature = (response_id, **options), text_signature = "($self, response_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn delete<'py>(
        &self,
        py: Python<'py>,
        response_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.0.send(
            py,
            Call::delete(&path(py, response_id, "")?).with_options("Responses.delete", options)?,
            Reading::Nothing,
        )
    }

    /// Raises `BadRequestError`: only responses made in the background could be cancelled so. Close a
    /// stream, or cancel the task that waits.
    #[pyo3(signature = (response_id, **options), text_signature = "($self, response_id, *, extra_headers=None, \
        extra_query=None, timeout=None)")]
    fn cancel<'py>(
        &self,
        py: Python<'py>,
        response_id: &str,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::without_body(http::Method::POST, &path(py, response_id, "/cancel")?)
            .with_options("Responses.cancel", options)?;
        self.0.send(py, call, Reading::Object(&types::RESPONSE_OBJECT))
    }

    /// What kept responses answer: `list(response_id)`.
    #[getter]
    fn input_items(&self) -> InputItems {
        InputItems(self.0.clone())
    }

    /// How many tokens an input is: `count(...)`.
    #[getter]
    fn input_tokens(&self) -> InputTokens {
        InputTokens(self.0.clone())
    }

    fn __repr__(&self) -> String {
        format!("<responses of {}>", self.0)
    }
}

/// The items that kept responses answer.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct InputItems(Caller);

#[pymethods]
impl InputItems {
    /// The items that a kept response answers, those of the responses before it among them, in pages:
    /// those behind the one of the id `after`, `limit` a page (by default 20), the newest first unless
    /// `order` is `"asc"`. `include` adds nothing: what it names was added when the response was made.
    /// Raises `NotFoundError` if there is no response of this id.
    #[pyo3(signature = (response_id, *, after = None, include = None, limit = None, order = None, **options),
        text_signature = "($self, response_id, *, after=None, include=None, limit=None, order=None, \
        extra_headers=None, extra_query=None, timeout=None)")]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        response_id: &str,
        after: Option<&str>,
        include: Option<Vec<String>>,
        limit: Option<i64>,
        order: Option<&str>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list = List::new(&self.0, path(py, response_id, "/input_items")?, &types::RESPONSE_ITEM_PAGES);
        let list = list.with("after", after).with("limit", limit).with("order", order);
        let include = include.unwrap_or_default().into_iter();
        include
            .fold(list, |list, name| list.with("include[]", Some(name)))
            .with_options("InputItems.list", options)?
            .page(py)
    }

    fn __repr__(&self) -> String {
        format!("<responses.input_items of {}>", self.0)
    }
}

/// The number of tokens of an input.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct InputTokens(Caller);

#[pymethods]
impl InputTokens {
    /// How many tokens a response would answer: gives an `InputTokenCountResponse`.
    ///
    /// The parameters are those of `responses.create`, as far as they make a difference. `model` may be
    /// left out if the engine has one model.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, conversation=..., input=..., \
        instructions=..., model=..., parallel_tool_calls=..., personality=..., previous_response_id=..., \
        reasoning=..., text=..., tool_choice=..., tools=..., truncation=..., extra_headers=None, \
        extra_query=None, extra_body=None, timeout=None)")]
    fn count<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        COUNT.send(py, &self.0, arguments)
    }

    fn __repr__(&self) -> String {
        format!("<responses.input_tokens of {}>", self.0)
    }
}

fn path(py: Python<'_>, response_id: &str, rest: &str) -> PyResult<String> {
    path_of(py, PATH, ("response_id", response_id), rest)
}
