//! The API's classes, field by field.
//!
//! Names, modules and orders are those of openai's SDK, so that `openai.types` in a program may become
//! `zerohop.types`, and so that the objects print alike.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyTuple};

use super::base::BaseModel;
use super::schema::{Field, OPTIONAL, REQUIRED, Schema, Spec};
use crate::vectors::{self, Vectors};

/// Defines a Python class and its schema for each entry: the class's name in `zerohop._native`, its
/// schema, its own name and module, and its fields.
macro_rules! classes {
    ($(
        $(#[$attribute:meta])*
        $class:ident, $schema:ident, $name:literal, $module:literal {
            $($field:ident: $spec:expr,)*
        }
        $(+ { $($method:item)* })?
    )*) => {
        $(
            pub(crate) static $schema: Schema = Schema {
                name: $name,
                fields: &[$(Field { name: field_name(stringify!($field)), spec: $spec }),*],
                class: |py| py.get_type::<$class>(),
                instance: |py, base| Ok(Bound::new(py, PyClassInitializer::from(base).add_subclass($class))?.into_any()),
            };

            $(#[$attribute])*
            #[pyclass(frozen, extends = BaseModel, name = $name, module = $module)]
            pub(crate) struct $class;

            #[pymethods]
            impl $class {
                #[new]
                #[pyo3(signature = (**fields))]
                fn new(py: Python<'_>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<PyClassInitializer<Self>> {
                    let base = BaseModel::from_keywords(py, &$schema, fields)?;
                    Ok(PyClassInitializer::from(base).add_subclass($class))
                }

                /// For `match` statements: the fields in their order.
                #[classattr]
                fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
                    PyTuple::new(py, $schema.fields.iter().map(|field| field.name))
                }

                $(
                    #[getter]
                    fn $field<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
                        const SPEC: Spec = $spec;
                        const FIELD: Field = Field { name: field_name(stringify!($field)), spec: SPEC };
                        slf.as_super().get().field(slf.py(), &FIELD)
                    }
                )*

                $($($method)*)?
            }
        )*

        /// Every class's schema.
        pub(super) static SCHEMAS: &[&Schema] = &[$(&$schema),*];

        /// Adds the classes to the native module.
        pub(super) fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
            $(module.add(stringify!($class), module.py().get_type::<$class>())?;)*
            Ok(())
        }
    };
}

pub(super) use classes;

/// A field's name as Python has it: `type` is a keyword in Rust alone.
pub(super) const fn field_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// The calls of tools by their `type`.
static TOOL_CALLS: &[(&str, &Schema)] =
    &[("function", &CHAT_COMPLETION_MESSAGE_FUNCTION_TOOL_CALL), ("custom", &CHAT_COMPLETION_MESSAGE_CUSTOM_TOOL_CALL)];

classes! {
    /// A whole answer.
    ChatCompletion, CHAT_COMPLETION, "ChatCompletion", "zerohop.types.chat.chat_completion" {
        id: REQUIRED,
        choices: REQUIRED.list(&CHOICE),
        created: REQUIRED,
        model: REQUIRED,
        object: REQUIRED,
        metadata: OPTIONAL,
        moderation: OPTIONAL,
        service_tier: OPTIONAL,
        system_fingerprint: OPTIONAL,
        usage: OPTIONAL.object(&COMPLETION_USAGE),
    }

    /// One of the answers to a request.
    Choice, CHOICE, "Choice", "zerohop.types.chat.chat_completion" {
        finish_reason: REQUIRED,
        index: REQUIRED,
        logprobs: OPTIONAL.object(&CHOICE_LOGPROBS),
        message: REQUIRED.object(&CHAT_COMPLETION_MESSAGE),
    }

    /// How likely an answer's tokens were.
    ChoiceLogprobs, CHOICE_LOGPROBS, "ChoiceLogprobs", "zerohop.types.chat.chat_completion" {
        content: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
        refusal: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
    }

    /// How likely a token was.
    ChatCompletionTokenLogprob, CHAT_COMPLETION_TOKEN_LOGPROB, "ChatCompletionTokenLogprob",
    "zerohop.types.chat.chat_completion_token_logprob" {
        token: REQUIRED,
        bytes: OPTIONAL,
        logprob: REQUIRED,
        top_logprobs: REQUIRED.list(&TOP_LOGPROB),
    }

    /// One of the likeliest tokens in a place.
    TopLogprob, TOP_LOGPROB, "TopLogprob", "zerohop.types.chat.chat_completion_token_logprob" {
        token: REQUIRED,
        bytes: OPTIONAL,
        logprob: REQUIRED,
    }

    /// What the model says. It can be sent back as history.
    ChatCompletionMessage, CHAT_COMPLETION_MESSAGE, "ChatCompletionMessage",
    "zerohop.types.chat.chat_completion_message" {
        content: OPTIONAL,
        refusal: OPTIONAL,
        role: REQUIRED,
        annotations: OPTIONAL.list(&ANNOTATION),
        audio: OPTIONAL.object(&CHAT_COMPLETION_AUDIO),
        function_call: OPTIONAL.object(&FUNCTION_CALL),
        tool_calls: OPTIONAL.union(TOOL_CALLS),
    }

    /// Where a statement of the model's comes from.
    Annotation, ANNOTATION, "Annotation", "zerohop.types.chat.chat_completion_message" {
        r#type: REQUIRED,
        url_citation: REQUIRED.object(&ANNOTATION_URL_CITATION),
    }

    /// The web page that a statement comes from.
    AnnotationURLCitation, ANNOTATION_URL_CITATION, "AnnotationURLCitation",
    "zerohop.types.chat.chat_completion_message" {
        end_index: REQUIRED,
        start_index: REQUIRED,
        title: REQUIRED,
        url: REQUIRED,
    }

    /// A spoken answer.
    ChatCompletionAudio, CHAT_COMPLETION_AUDIO, "ChatCompletionAudio", "zerohop.types.chat.chat_completion_audio" {
        id: REQUIRED,
        data: REQUIRED,
        expires_at: REQUIRED,
        transcript: REQUIRED,
    }

    /// What function the model calls, and how; the deprecated form of tool calls.
    FunctionCall, FUNCTION_CALL, "FunctionCall", "zerohop.types.chat.chat_completion_message" {
        arguments: REQUIRED,
        name: REQUIRED,
    }

    /// A call of a function.
    ChatCompletionMessageFunctionToolCall, CHAT_COMPLETION_MESSAGE_FUNCTION_TOOL_CALL,
    "ChatCompletionMessageFunctionToolCall", "zerohop.types.chat.chat_completion_message_function_tool_call" {
        id: REQUIRED,
        function: REQUIRED.object(&TOOL_CALL_FUNCTION),
        r#type: REQUIRED,
    }

    /// What function is called, and how. `arguments` is JSON text.
    ToolCallFunction, TOOL_CALL_FUNCTION, "Function",
    "zerohop.types.chat.chat_completion_message_function_tool_call" {
        arguments: REQUIRED,
        name: REQUIRED,
    }

    /// A call of a custom tool.
    ChatCompletionMessageCustomToolCall, CHAT_COMPLETION_MESSAGE_CUSTOM_TOOL_CALL,
    "ChatCompletionMessageCustomToolCall", "zerohop.types.chat.chat_completion_message_custom_tool_call" {
        id: REQUIRED,
        custom: REQUIRED.object(&TOOL_CALL_CUSTOM),
        r#type: REQUIRED,
    }

    /// What custom tool is called, and with what text.
    ToolCallCustom, TOOL_CALL_CUSTOM, "Custom", "zerohop.types.chat.chat_completion_message_custom_tool_call" {
        input: REQUIRED,
        name: REQUIRED,
    }

    /// A piece of a streamed answer.
    ChatCompletionChunk, CHAT_COMPLETION_CHUNK, "ChatCompletionChunk", "zerohop.types.chat.chat_completion_chunk" {
        id: REQUIRED,
        choices: REQUIRED.list(&CHUNK_CHOICE),
        created: REQUIRED,
        model: REQUIRED,
        object: REQUIRED,
        moderation: OPTIONAL,
        obfuscation: OPTIONAL,
        service_tier: OPTIONAL,
        system_fingerprint: OPTIONAL,
        usage: OPTIONAL.object(&COMPLETION_USAGE),
    }

    /// What has come to one of the answers.
    ChunkChoice, CHUNK_CHOICE, "Choice", "zerohop.types.chat.chat_completion_chunk" {
        delta: REQUIRED.object(&CHOICE_DELTA),
        index: REQUIRED,
        finish_reason: OPTIONAL,
        logprobs: OPTIONAL.object(&CHUNK_CHOICE_LOGPROBS),
    }

    /// How likely a piece's tokens were.
    ChunkChoiceLogprobs, CHUNK_CHOICE_LOGPROBS, "ChoiceLogprobs", "zerohop.types.chat.chat_completion_chunk" {
        content: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
        refusal: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
    }

    /// What has come to a message; what has no news is None.
    ChoiceDelta, CHOICE_DELTA, "ChoiceDelta", "zerohop.types.chat.chat_completion_chunk" {
        audio: OPTIONAL.object(&CHOICE_DELTA_AUDIO),
        content: OPTIONAL,
        function_call: OPTIONAL.object(&CHOICE_DELTA_FUNCTION_CALL),
        refusal: OPTIONAL,
        role: OPTIONAL,
        tool_calls: OPTIONAL.list(&CHOICE_DELTA_TOOL_CALL),
    }

    /// What has come to a spoken answer.
    ChoiceDeltaAudio, CHOICE_DELTA_AUDIO, "ChoiceDeltaAudio", "zerohop.types.chat.chat_completion_chunk" {
        id: OPTIONAL,
        data: OPTIONAL,
        expires_at: OPTIONAL,
        transcript: OPTIONAL,
    }

    /// What has come to the call of a function; the deprecated form of tool calls.
    ChoiceDeltaFunctionCall, CHOICE_DELTA_FUNCTION_CALL, "ChoiceDeltaFunctionCall",
    "zerohop.types.chat.chat_completion_chunk" {
        arguments: OPTIONAL,
        name: OPTIONAL,
    }

    /// What has come to the call of a tool; its first piece alone has `id`, `type` and a name.
    ChoiceDeltaToolCall, CHOICE_DELTA_TOOL_CALL, "ChoiceDeltaToolCall", "zerohop.types.chat.chat_completion_chunk" {
        index: REQUIRED,
        id: OPTIONAL,
        function: OPTIONAL.object(&CHOICE_DELTA_TOOL_CALL_FUNCTION),
        r#type: OPTIONAL,
    }

    /// What has come to the call of a function.
    ChoiceDeltaToolCallFunction, CHOICE_DELTA_TOOL_CALL_FUNCTION, "ChoiceDeltaToolCallFunction",
    "zerohop.types.chat.chat_completion_chunk" {
        arguments: OPTIONAL,
        name: OPTIONAL,
    }

    /// A text gone on from, or a piece of one that is streamed.
    Completion, COMPLETION, "Completion", "zerohop.types.completion" {
        id: REQUIRED,
        choices: REQUIRED.list(&COMPLETION_CHOICE),
        created: REQUIRED,
        model: REQUIRED,
        object: REQUIRED,
        system_fingerprint: OPTIONAL,
        usage: OPTIONAL.object(&COMPLETION_USAGE),
    }

    /// One of the answers, or a piece of one; a piece before the last has no `finish_reason`.
    CompletionChoice, COMPLETION_CHOICE, "CompletionChoice", "zerohop.types.completion_choice" {
        finish_reason: REQUIRED,
        index: REQUIRED,
        logprobs: OPTIONAL.object(&LOGPROBS),
        text: REQUIRED,
    }

    /// How likely a text's tokens were: lists of one length.
    Logprobs, LOGPROBS, "Logprobs", "zerohop.types.completion_choice" {
        text_offset: OPTIONAL,
        token_logprobs: OPTIONAL,
        tokens: OPTIONAL,
        top_logprobs: OPTIONAL,
    }

    /// Documents in the order of how well they answer a query.
    RerankResponse, RERANK_RESPONSE, "RerankResponse", "zerohop.types.rerank_response" {
        id: REQUIRED,
        model: REQUIRED,
        object: REQUIRED,
        results: REQUIRED.list(&RERANK_RESULT),
        usage: REQUIRED.object(&RERANK_USAGE),
    }

    /// How well a document answers: `index` is its place in the request, the score from 0 to 1.
    RerankResult, RERANK_RESULT, "RerankResult", "zerohop.types.rerank_response" {
        index: REQUIRED,
        relevance_score: REQUIRED,
        document: OPTIONAL.object(&RERANK_DOCUMENT),
    }

    /// A document, if it is asked for.
    RerankDocument, RERANK_DOCUMENT, "RerankDocument", "zerohop.types.rerank_response" {
        text: REQUIRED,
    }

    /// The tokens that a ranking used.
    RerankUsage, RERANK_USAGE, "RerankUsage", "zerohop.types.rerank_response" {
        prompt_tokens: REQUIRED,
        total_tokens: REQUIRED,
    }

    /// The tokens of a text.
    TokenizeResponse, TOKENIZE_RESPONSE, "TokenizeResponse", "zerohop.types.tokenize_response" {
        count: REQUIRED,
        max_model_len: REQUIRED,
        tokens: REQUIRED,
        token_strs: OPTIONAL,
    }

    /// The text of tokens.
    DetokenizeResponse, DETOKENIZE_RESPONSE, "DetokenizeResponse", "zerohop.types.tokenize_response" {
        prompt: REQUIRED,
    }

    /// The tokens that a request used.
    CompletionUsage, COMPLETION_USAGE, "CompletionUsage", "zerohop.types.completion_usage" {
        completion_tokens: REQUIRED,
        prompt_tokens: REQUIRED,
        total_tokens: REQUIRED,
        completion_tokens_details: OPTIONAL.object(&COMPLETION_TOKENS_DETAILS),
        prompt_tokens_details: OPTIONAL.object(&PROMPT_TOKENS_DETAILS),
    }

    /// Of the answers' tokens, how many were which.
    CompletionTokensDetails, COMPLETION_TOKENS_DETAILS, "CompletionTokensDetails", "zerohop.types.completion_usage" {
        accepted_prediction_tokens: OPTIONAL,
        audio_tokens: OPTIONAL,
        reasoning_tokens: OPTIONAL,
        rejected_prediction_tokens: OPTIONAL,
        text_tokens: OPTIONAL,
    }

    /// Of the prompt's tokens, how many were which.
    PromptTokensDetails, PROMPT_TOKENS_DETAILS, "PromptTokensDetails", "zerohop.types.completion_usage" {
        audio_tokens: OPTIONAL,
        cache_write_tokens: OPTIONAL,
        cached_tokens: OPTIONAL,
        image_tokens: OPTIONAL,
        text_tokens: OPTIONAL,
    }

    /// A model that requests may name.
    Model, MODEL, "Model", "zerohop.types.model" {
        id: REQUIRED,
        created: REQUIRED,
        object: REQUIRED,
        owned_by: REQUIRED,
        shutdown_date: OPTIONAL,
    }

    /// What is left of a model that was deleted.
    ModelDeleted, MODEL_DELETED, "ModelDeleted", "zerohop.types.model_deleted" {
        id: REQUIRED,
        deleted: REQUIRED,
        object: REQUIRED,
    }

    /// All models that requests may name. Iterating over it gives them.
    SyncPage, SYNC_PAGE, "SyncPage", "zerohop.pagination" {
        data: REQUIRED.list(&MODEL),
        object: REQUIRED,
    } + {
        fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
            slf.getattr("data")?.try_iter()
        }
    }

    /// All models that requests may name, for event loops. Iterating over it with `async for` gives them.
    AsyncPage, ASYNC_PAGE, "AsyncPage", "zerohop.pagination" {
        data: REQUIRED.list(&MODEL),
        object: REQUIRED,
    } + {
        fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
            slf.py().import("zerohop._async")?.call_method1("each", (slf.getattr("data")?,))
        }
    }

    /// The vectors of a request's texts.
    CreateEmbeddingResponse, CREATE_EMBEDDING_RESPONSE, "CreateEmbeddingResponse",
    "zerohop.types.create_embedding_response" {
        data: REQUIRED.list(&EMBEDDING),
        model: REQUIRED,
        object: REQUIRED,
        usage: REQUIRED.object(&EMBEDDING_USAGE),
    } + {
        /// All vectors in one piece of memory: `numpy.asarray(reply.vectors)` copies nothing.
        ///
        /// Raises `InvalidArgumentError` if the reply has base64 text.
        #[getter]
        fn vectors(slf: &Bound<'_, Self>) -> PyResult<Vectors> {
            vectors::of_reply(slf.py(), slf.as_super().get().json("data"))
        }
    }

    /// The vector of a text. `embedding` is a list of floats.
    Embedding, EMBEDDING, "Embedding", "zerohop.types.embedding" {
        embedding: REQUIRED,
        index: REQUIRED,
        object: REQUIRED,
    }

    /// The tokens that a request for embeddings used.
    EmbeddingUsage, EMBEDDING_USAGE, "Usage", "zerohop.types.create_embedding_response" {
        prompt_tokens: REQUIRED,
        total_tokens: REQUIRED,
    }

    /// A file that the engine keeps.
    FileObject, FILE_OBJECT, "FileObject", "zerohop.types.file_object" {
        id: REQUIRED,
        bytes: REQUIRED,
        created_at: REQUIRED,
        filename: REQUIRED,
        object: REQUIRED,
        purpose: REQUIRED,
        status: REQUIRED,
        expires_at: OPTIONAL,
        status_details: OPTIONAL,
    }

    /// That a file has been deleted.
    FileDeleted, FILE_DELETED, "FileDeleted", "zerohop.types.file_deleted" {
        id: REQUIRED,
        deleted: REQUIRED,
        object: REQUIRED,
    }

    /// A page of files. Iterating over it gives those of this page.
    SyncCursorPage, SYNC_CURSOR_PAGE, "SyncCursorPage", "zerohop.pagination" {
        data: REQUIRED.list(&FILE_OBJECT),
        has_more: OPTIONAL,
    } + {
        fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
            slf.getattr("data")?.try_iter()
        }
    }

    /// A page of files, for event loops. Iterating over it with `async for` gives those of this page.
    AsyncCursorPage, ASYNC_CURSOR_PAGE, "AsyncCursorPage", "zerohop.pagination" {
        data: REQUIRED.list(&FILE_OBJECT),
        has_more: OPTIONAL,
    } + {
        fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
            slf.py().import("zerohop._async")?.call_method1("each", (slf.getattr("data")?,))
        }
    }

    /// A file of requests and what has become of them.
    Batch, BATCH, "Batch", "zerohop.types.batch" {
        id: REQUIRED,
        completion_window: REQUIRED,
        created_at: REQUIRED,
        endpoint: REQUIRED,
        input_file_id: REQUIRED,
        object: REQUIRED,
        status: REQUIRED,
        cancelled_at: OPTIONAL,
        cancelling_at: OPTIONAL,
        completed_at: OPTIONAL,
        error_file_id: OPTIONAL,
        errors: OPTIONAL.object(&BATCH_ERRORS),
        expired_at: OPTIONAL,
        expires_at: OPTIONAL,
        failed_at: OPTIONAL,
        finalizing_at: OPTIONAL,
        in_progress_at: OPTIONAL,
        metadata: OPTIONAL,
        model: OPTIONAL,
        output_file_id: OPTIONAL,
        request_counts: OPTIONAL.object(&BATCH_REQUEST_COUNTS),
        usage: OPTIONAL.object(&BATCH_USAGE),
    }

    /// What is wrong with a batch.
    BatchErrors, BATCH_ERRORS, "Errors", "zerohop.types.batch" {
        data: OPTIONAL.list(&BATCH_ERROR),
        object: OPTIONAL,
    }

    /// What is wrong with a line of a batch, or with the batch as a whole.
    BatchError, BATCH_ERROR, "BatchError", "zerohop.types.batch_error" {
        code: OPTIONAL,
        line: OPTIONAL,
        message: OPTIONAL,
        param: OPTIONAL,
    }

    /// How many of a batch's requests have been answered.
    BatchRequestCounts, BATCH_REQUEST_COUNTS, "BatchRequestCounts", "zerohop.types.batch_request_counts" {
        completed: REQUIRED,
        failed: REQUIRED,
        total: REQUIRED,
    }

    /// The tokens of a batch's answers.
    BatchUsage, BATCH_USAGE, "BatchUsage", "zerohop.types.batch_usage" {
        input_tokens: REQUIRED,
        input_tokens_details: REQUIRED.object(&BATCH_INPUT_TOKENS_DETAILS),
        output_tokens: REQUIRED,
        output_tokens_details: REQUIRED.object(&BATCH_OUTPUT_TOKENS_DETAILS),
        total_tokens: REQUIRED,
    }

    /// A part of a batch's input tokens.
    BatchInputTokensDetails, BATCH_INPUT_TOKENS_DETAILS, "InputTokensDetails", "zerohop.types.batch_usage" {
        cached_tokens: REQUIRED,
    }

    /// A part of a batch's output tokens.
    BatchOutputTokensDetails, BATCH_OUTPUT_TOKENS_DETAILS, "OutputTokensDetails", "zerohop.types.batch_usage" {
        reasoning_tokens: REQUIRED,
    }

    /// A page of batches. Iterating over it gives those of this page.
    SyncBatchPage, SYNC_BATCH_PAGE, "SyncBatchPage", "zerohop.pagination" {
        data: REQUIRED.list(&BATCH),
        has_more: OPTIONAL,
    } + {
        fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
            slf.getattr("data")?.try_iter()
        }
    }

    /// A page of batches, for event loops. Iterating over it with `async for` gives those of this page.
    AsyncBatchPage, ASYNC_BATCH_PAGE, "AsyncBatchPage", "zerohop.pagination" {
        data: REQUIRED.list(&BATCH),
        has_more: OPTIONAL,
    } + {
        fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
            slf.py().import("zerohop._async")?.call_method1("each", (slf.getattr("data")?,))
        }
    }

    /// What a model is.
    ModelInfo, MODEL_INFO, "ModelInfo", "zerohop.types.model_info" {
        id: REQUIRED,
        aliases: REQUIRED,
        path: REQUIRED,
        file_size: REQUIRED,
        architecture: REQUIRED,
        name: OPTIONAL,
        parameters: REQUIRED,
        quantization: OPTIONAL,
        trained_context_length: REQUIRED,
        context_length: REQUIRED,
        vocabulary_size: REQUIRED,
        has_chat_template: REQUIRED,
        embedding_dimensions: OPTIONAL,
        created: REQUIRED,
        loaded: REQUIRED,
    }

    /// What has become of a batch's requests.
    BatchCounts, BATCH_COUNTS, "BatchCounts", "zerohop.types.batch_counts" {
        total: REQUIRED,
        completed: REQUIRED,
        failed: REQUIRED,
        resumed: REQUIRED,
        input_tokens: REQUIRED,
        cached_tokens: REQUIRED,
        output_tokens: REQUIRED,
        reasoning_tokens: REQUIRED,
    }

    /// A device that this build can compute on.
    Device, DEVICE, "Device", "zerohop.types.device" {
        name: REQUIRED,
        description: REQUIRED,
        kind: REQUIRED,
        memory_total: REQUIRED,
        memory_free: REQUIRED,
    }
    /// This build and the machine that it runs on.
    SystemInfo, SYSTEM_INFO, "SystemInfo", "zerohop.types.system_info" {
        version: REQUIRED,
        llama_cpp: REQUIRED,
        processors: REQUIRED,
        cpu_features: REQUIRED,
        missing_cpu_features: REQUIRED,
        kernels: REQUIRED,
        devices: REQUIRED.list(&DEVICE),
    }
}
