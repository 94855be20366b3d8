//! Chat completions.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::door::PendingReply;
use crate::handle::Handle;
use crate::request::{self, Call, Schemas};
use crate::types;

/// The API's parameters, as openai's SDK names them; extensions go into `extra_body`.
const PARAMETERS: &[&str] = &[
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
];

/// Parameters that may be any iterable, a generator say, as in openai's SDK.
const ITERABLES: &[&str] = &["functions", "messages", "tools"];

const SCHEMAS: Schemas = Schemas { object: &types::CHAT_COMPLETION, event: &types::CHAT_COMPLETION_CHUNK };

/// The chat endpoints of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Chat(pub(crate) Arc<Handle>);

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
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Completions(Arc<Handle>);

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
        let none = PyDict::new(py);
        self.call(arguments.unwrap_or(&none))?.send(py, &self.0)?.object_or_stream(py, &SCHEMAS)
    }

    /// `create` for event loops: the reply on its way.
    #[pyo3(signature = (**arguments))]
    fn _submit(&self, py: Python<'_>, arguments: Option<&Bound<'_, PyDict>>) -> PyResult<PendingReply> {
        let none = PyDict::new(py);
        self.call(arguments.unwrap_or(&none))?.submit(py, &self.0, SCHEMAS)
    }

    fn __repr__(&self) -> String {
        format!("<chat.completions of {}>", self.0)
    }
}

impl Completions {
    fn call(&self, arguments: &Bound<'_, PyDict>) -> PyResult<Call> {
        const METHOD: &str = "Completions.create";
        request::check_names(METHOD, arguments, PARAMETERS, &["messages"])?;
        let mut call = Call::post("/v1/chat/completions");
        call.read_options(arguments)?;
        if !arguments.contains("model")? {
            call.set("model", request::only_model(METHOD, &self.0)?);
        }
        for &name in PARAMETERS {
            if let Some(value) = arguments.get_item(name)? {
                call.set(name, request::read_parameter(name, &value, ITERABLES.contains(&name))?);
            }
        }
        call.merge_extra_body(arguments)?;
        Ok(call)
    }
}
