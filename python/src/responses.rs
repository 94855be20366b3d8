//! The Responses API.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::door::PendingReply;
use crate::handle::Handle;
use crate::method::Method;
use crate::request::{Call, Reply, Schemas};
use crate::{errors, types};

static CREATE: Method = Method {
    name: "Responses.create",
    path: "/v1/responses",
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
    schemas: Schemas { object: &types::RESPONSE_OBJECT, event: types::RESPONSE_STREAM_EVENT },
};

/// The responses of an engine.
///
/// They are kept in memory unless `store` is false: at most 4096 objects (chat completions with `store`
/// among them) of 64 MiB together. What was not used for longest goes first.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Responses(pub(crate) Arc<Handle>);

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

    /// `create` for event loops: the reply on its way.
    #[pyo3(signature = (**arguments))]
    fn _submit(&self, py: Python<'_>, arguments: Option<&Bound<'_, PyDict>>) -> PyResult<PendingReply> {
        CREATE.submit(py, &self.0, arguments)
    }

    /// The response of this id, if it was kept. Raises `NotFoundError` if there is none.
    fn retrieve<'py>(&self, py: Python<'py>, response_id: &str) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::get(&path(py, response_id, "")?);
        Reply::object(call.send(py, &self.0)?, py, &types::RESPONSE_OBJECT)
    }

    /// Forgets a response. Raises `NotFoundError` if there is none of this id.
    fn delete(&self, py: Python<'_>, response_id: &str) -> PyResult<()> {
        Call::without_body(http::Method::DELETE, &path(py, response_id, "")?).send(py, &self.0).map(drop)
    }

    /// Raises `BadRequestError`: only responses made in the background could be cancelled so. Close a
    /// stream, or cancel the task that waits.
    fn cancel<'py>(&self, py: Python<'py>, response_id: &str) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::without_body(http::Method::POST, &path(py, response_id, "/cancel")?);
        Reply::object(call.send(py, &self.0)?, py, &types::RESPONSE_OBJECT)
    }

    fn __repr__(&self) -> String {
        format!("<responses of {}>", self.0)
    }
}

fn path(py: Python<'_>, id: &str, rest: &str) -> PyResult<String> {
    if id.is_empty() {
        return Err(errors::invalid_argument(py, "response_id must not be empty"));
    }
    Ok(format!("/v1/responses/{}{rest}", utf8_percent_encode(id, NON_ALPHANUMERIC)))
}
