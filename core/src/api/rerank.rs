//! The request and reply of `/v1/rerank`, in the shape that Cohere and Jina gave it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::embeddings::EmbeddingUsage;
use super::error::{Error, Result};
use super::models::ListObject;

/// The most documents of one request.
const MAX_DOCUMENTS: usize = 2048;

/// Which documents to order by how well they answer a query.
///
/// ```
/// use zerohop::types::RerankRequest;
///
/// let request = RerankRequest::new("reranker", "What is a panda?", ["A bear.", "A car."]).top_n(1);
/// assert_eq!(request.documents[0].text, "A bear.");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct RerankRequest {
    /// The name of the model.
    pub model: String,
    /// What the documents are to answer; not empty.
    pub query: String,
    /// The documents, from 1 to 2048; in JSON, strings or objects with a `text`.
    pub documents: Vec<RerankDocument>,
    /// How many of the best are given; at least 1. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_n: Option<u32>,
    /// Whether the results have the documents' texts. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_documents: Option<bool>,
}

impl RerankRequest {
    /// A request to order `documents`.
    pub fn new<D: Into<RerankDocument>>(
        model: impl Into<String>,
        query: impl Into<String>,
        documents: impl IntoIterator<Item = D>,
    ) -> Self {
        RerankRequest {
            model: model.into(),
            query: query.into(),
            documents: documents.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Sets [`top_n`](Self::top_n).
    pub fn top_n(mut self, count: u32) -> Self {
        self.top_n = Some(count);
        self
    }

    /// Sets [`return_documents`](Self::return_documents).
    pub fn return_documents(mut self, wanted: bool) -> Self {
        self.return_documents = Some(wanted);
        self
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.query.is_empty() {
            return Err(Error::invalid("query", "'query' must not be empty"));
        }
        if self.documents.is_empty() || self.documents.len() > MAX_DOCUMENTS {
            let count = self.documents.len();
            let message = format!("'documents' must have from 1 to {MAX_DOCUMENTS} items, but has {count}");
            return Err(Error::invalid("documents", message));
        }
        if self.top_n == Some(0) {
            return Err(Error::invalid("top_n", "'top_n' must be at least 1"));
        }
        Ok(())
    }
}

/// A document to be ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RerankDocument {
    /// Its text.
    pub text: String,
}

impl<T: Into<String>> From<T> for RerankDocument {
    fn from(text: T) -> Self {
        RerankDocument { text: text.into() }
    }
}

impl<'de> Deserialize<'de> for RerankDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

/// A document that is an object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextObject {
    text: String,
}

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = RerankDocument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object with a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        TextObject::deserialize(MapAccessDeserializer::new(map)).map(|TextObject { text }| text.into())
    }
}

/// Documents in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RerankResponse {
    /// A unique name of the answer, starting with `rerank-`.
    pub id: String,
    /// Always `list`.
    pub object: ListObject,
    /// The model, as the request named it.
    pub model: String,
    /// The documents, the best first.
    pub results: Vec<RerankResult>,
    /// The tokens used.
    pub usage: EmbeddingUsage,
}

impl RerankResponse {
    pub(crate) fn new(model: String, results: Vec<RerankResult>, tokens: u32) -> Self {
        let usage = EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens };
        RerankResponse {
            id: format!("rerank-{}", Uuid::new_v4().simple()),
            object: ListObject::List,
            model,
            results,
            usage,
        }
    }
}

/// How well a document answers the query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RerankResult {
    /// The document's place in the request.
    pub index: u32,
    /// How well it answers, from 0 to 1: the probability that it does, as the model has it. Only their
    /// order can be compared between models.
    pub relevance_score: f32,
    /// The document; absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<RerankDocument>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::parse::parse_rerank_request;

    fn parse(keys: &Value) -> Result<RerankRequest> {
        let mut body = json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}]});
        body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        parse_rerank_request(body.to_string().as_bytes())
    }

    #[test]
    fn documents_are_strings_or_objects() {
        let request = parse(&json!({"top_n": 5, "return_documents": true})).unwrap();
        assert_eq!(request, RerankRequest::new("m", "q", ["a", "b"]).top_n(5).return_documents(true));
        let json = serde_json::to_value(&request).unwrap();
        assert_eq!(serde_json::from_value::<RerankRequest>(json).unwrap(), request);
    }

    #[test]
    fn bad_requests_name_the_parameter() {
        let bad = [
            (json!({"query": ""}), "query"),
            (json!({"query": null}), "query"),
            (json!({"documents": []}), "documents"),
            (json!({"documents": vec!["a"; 2049]}), "documents"),
            (json!({"documents": "a"}), "documents"),
            (json!({"documents": ["a", 1]}), "documents[1]"),
            (json!({"documents": [{"text": 1}]}), "documents[0].text"),
            (json!({"documents": [{"title": "a", "text": "b"}]}), "documents[0].title"),
            (json!({"documents": [{}]}), "documents[0].text"),
            (json!({"top_n": 0}), "top_n"),
            (json!({"top_n": -1}), "top_n"),
            (json!({"max_chunks_per_doc": 1}), "max_chunks_per_doc"),
        ];
        for (keys, param) in bad {
            let error = parse(&keys).expect_err(&keys.to_string());
            assert_eq!((error.status(), error.param()), (Some(400), Some(param)), "{keys}: {error}");
        }
    }
}
