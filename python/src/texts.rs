//! Plain texts: legacy completions, ranking, tokens.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::method::Method;
use crate::reply::Reading;
use crate::types;

static CREATE: Method = Method {
    name: "Completions.create",
    path: "/v1/completions",
    parameters: &[
        "model",
        "prompt",
        "best_of",
        "echo",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "n",
        "presence_penalty",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "suffix",
        "temperature",
        "top_p",
        "user",
    ],
    required: &["prompt"],
    iterables: &["prompt"],
    reading: Reading::ObjectOrStream(&types::COMPLETION, types::Shape::Object(&types::COMPLETION)),
};

pub(crate) static RERANK: Method = Method {
    name: "Engine.rerank",
    path: "/v1/rerank",
    parameters: &["model", "query", "documents", "top_n", "return_documents"],
    required: &["query", "documents"],
    iterables: &["documents"],
    reading: Reading::Object(&types::RERANK_RESPONSE),
};

pub(crate) static TOKENIZE: Method = Method {
    name: "Engine.tokenize",
    path: "/tokenize",
    parameters: &[
        "model",
        "prompt",
        "messages",
        "tools",
        "chat_template_kwargs",
        "add_special_tokens",
        "return_token_strs",
    ],
    required: &[],
    iterables: &["messages", "tools"],
    reading: Reading::Object(&types::TOKENIZE_RESPONSE),
};

pub(crate) static DETOKENIZE: Method = Method {
    name: "Engine.detokenize",
    path: "/detokenize",
    parameters: &["model", "tokens"],
    required: &["tokens"],
    iterables: &["tokens"],
    reading: Reading::Object(&types::DETOKENIZE_RESPONSE),
};

/// The legacy completions of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct LegacyCompletions(pub(crate) Caller);

#[pymethods]
impl LegacyCompletions {
    /// Goes on from a text, without a chat template: with a `Completion`, or with a `Stream` of them if
    /// `stream` is true.
    ///
    /// The parameters are the API's. `model` may be left out if the engine has one model. Parameters
    /// that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is the number of
    /// seconds that the answer, or each chunk of a stream, may take; none by default.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, prompt, model=..., best_of=..., echo=..., \
        frequency_penalty=..., logit_bias=..., logprobs=..., max_tokens=..., n=..., presence_penalty=..., \
        seed=..., stop=..., stream=..., stream_options=..., suffix=..., temperature=..., top_p=..., user=..., \
        extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn create<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        CREATE.send(py, &self.0, arguments)
    }

    fn __repr__(&self) -> String {
        format!("<completions of {}>", self.0)
    }
}
