//! The classes of plain texts and of vectors.

use pyo3::prelude::*;

use super::base::BaseModel;
use super::chat::COMPLETION_USAGE;
use super::classes::classes;
use super::schema::{OPTIONAL, REQUIRED};
use crate::vectors::{self, Vectors};

classes! {
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
}
