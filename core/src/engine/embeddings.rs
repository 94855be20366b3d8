//! Embeddings as typed calls.

use super::Engine;
use crate::api::embeddings::{CreateEmbeddingRequest, CreateEmbeddingResponse, EmbeddingUsage};
use crate::api::error::{Error, Result};
use crate::embed::PendingEmbeddings;

/// Embeddings of an [`Engine`].
#[derive(Debug, Clone, Copy)]
pub struct Embeddings<'a> {
    pub(super) engine: &'a Engine,
}

impl Embeddings<'_> {
    /// Turns texts into vectors of length 1; texts that mean similar things have similar ones. Blocks
    /// until all are there. The texts of all callers are computed together.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, also for a text that is longer than the model takes (nothing
    /// is cut off silently) and for a model that generates text; `NotFound` for an unknown model;
    /// `RateLimit` when the queue is full.
    ///
    /// ```no_run
    /// use zerohop::types::CreateEmbeddingRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("minilm", "minilm.gguf").build()?;
    /// let reply = engine.embeddings().create(&CreateEmbeddingRequest::new("minilm", ["a cat", "a kitten"]))?;
    /// let (cat, kitten) = (&reply.data[0].embedding.values, &reply.data[1].embedding.values);
    /// let similarity: f32 = cat.iter().zip(kitten).map(|(a, b)| a * b).sum();
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateEmbeddingRequest) -> Result<CreateEmbeddingResponse> {
        request.validate()?;
        if let Some(reply) = self.engine.remote("/v1/embeddings", request) {
            return reply;
        }
        self.submit(request)?.wait()
    }

    /// The number of numbers in a model's vectors.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown model, `InvalidRequest` for one that generates text, `Closed`.
    pub fn dimensions(&self, model: &str) -> Result<usize> {
        if self.engine.isolated().is_some() {
            self.engine.check_open()?;
            let info = self.engine.catalogue().find(model)?.info();
            return info.embedding_dimensions.ok_or_else(|| {
                Error::invalid("model", format!("the model '{}' makes no vectors: use an embedding model", info.id))
            });
        }
        let served = self.engine.served(model)?;
        served.embedder()?;
        Ok(served.model()?.backend.embedding_length())
    }

    /// Like [`create`](Self::create), writing the vectors into `out`, one after another in the order of
    /// the inputs; what `out` has beyond them stays. A vector has [`dimensions`](Self::dimensions)
    /// numbers unless the request sets another number of them. `encoding_format` has no say here.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and `InvalidArgument` if `out` is too short. What is in `out` then is
    /// unspecified.
    ///
    /// ```no_run
    /// use zerohop::types::CreateEmbeddingRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("minilm", "minilm.gguf").build()?;
    /// let mut vectors = [[0.0_f32; 384]; 2];
    /// let request = CreateEmbeddingRequest::new("minilm", ["a cat", "a kitten"]);
    /// engine.embeddings().create_into(&request, vectors.as_flattened_mut())?;
    /// let similarity: f32 = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum();
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_into(&self, request: &CreateEmbeddingRequest, out: &mut [f32]) -> Result<EmbeddingUsage> {
        request.validate()?;
        if let Some(reply) = self.engine.remote::<CreateEmbeddingResponse>("/v1/embeddings", request) {
            return reply?.copy_into(out);
        }
        self.submit(request)?.wait_into(out)
    }

    /// Starts a validated request.
    pub(crate) fn submit(self, request: &CreateEmbeddingRequest) -> Result<PendingEmbeddings> {
        self.engine.in_call("embeddings", &request.model, || {
            let served = self.engine.served(&request.model)?;
            served.embedder()?.submit(served.model()?, request)
        })
    }
}
