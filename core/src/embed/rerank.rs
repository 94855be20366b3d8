//! Ranking: a query and each document as one text, and a score for each.

use std::task::Poll;

use super::{Embedder, PendingVectors};
use crate::api::error::{Error, Result};
use crate::api::rerank::{RerankRequest, RerankResponse, RerankResult};
use crate::backend::{Span, Token};
use crate::engine::Engine;
use crate::model::{LoadedModel, ModelKind, RankScore};
use crate::wait::{Wait, block};

impl Engine {
    /// Orders documents by how well they answer a query, with a model that ranks texts. Blocks until all
    /// are ordered. The texts of all callers are computed together.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, also for a document that together with the query is longer than
    /// the model takes, and for a model that does not rank texts; `NotFound` for an unknown model;
    /// `RateLimit` when the queue is full.
    ///
    /// ```no_run
    /// use zerohop::types::RerankRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("reranker", "bge-reranker.gguf").build()?;
    /// let request = RerankRequest::new("reranker", "What is a panda?", ["A bear from China.", "A small car."]);
    /// for result in engine.rerank(&request)?.results {
    ///     println!("{}: {}", result.index, result.relevance_score);
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn rerank(&self, request: &RerankRequest) -> Result<RerankResponse> {
        request.validate()?;
        if let Some(reply) = self.remote("/v1/rerank", request) {
            return reply;
        }
        self.submit_rerank(request)?.wait()
    }

    /// Starts a validated request.
    pub(crate) fn submit_rerank(&self, request: &RerankRequest) -> Result<PendingRanking> {
        self.in_call("rerank", &request.model, || {
            let served = self.served(&request.model)?;
            served.ranker()?.rank(served.model()?, request)
        })
    }
}

impl Embedder {
    fn rank(&self, model: &LoadedModel, request: &RerankRequest) -> Result<PendingRanking> {
        let ModelKind::Ranking { score, .. } = model.kind else {
            return Err(Error::internal("the model ranks no texts"));
        };
        let pairs = pairs(model, request)?;
        check_lengths(model, &pairs)?;
        let tokens = u32::try_from(pairs.iter().map(Vec::len).sum::<usize>()).unwrap_or(u32::MAX);
        let documents = request.return_documents.unwrap_or(false).then(|| request.documents.clone());
        Ok(PendingRanking {
            scores: self.enqueue(pairs)?,
            model: request.model.clone(),
            score,
            top_n: request.top_n.map_or(usize::MAX, |count| count as usize),
            documents,
            tokens,
        })
    }
}

/// The tokens of the query with each document, as the model was trained to read them: in the file's own
/// template, or with the vocabulary's marks around and between them.
fn pairs(model: &LoadedModel, request: &RerankRequest) -> Result<Vec<Vec<Token>>> {
    let vocab = model.backend.vocab();
    if let Some(template) = model.backend.rerank_template() {
        let pair = |text: &str| {
            // What a caller writes is never a control token.
            let spellings = &model.control_spellings;
            let filled = fill(&template, &spellings.mark(&request.query), &spellings.mark(text));
            vocab.tokenize(&spellings.spans(&filled))
        };
        return request.documents.iter().map(|document| pair(&document.text)).collect();
    }
    let marks = vocab.pair_marks();
    if marks.between.is_empty() {
        let message = format!("the model '{}' has neither a template nor tokens for pairs of texts", model.info.id);
        return Err(Error::invalid("model", message));
    }
    let texts = std::iter::once(&request.query).chain(request.documents.iter().map(|document| &document.text));
    let spans: Vec<Span<'_>> = texts.map(|text| Span { text, parse_special: false }).collect();
    let mut texts = vocab.tokenize_each(&spans)?.into_iter();
    let query = texts.next().unwrap_or_default();
    Ok(texts
        .map(|document| [&marks.start, &query, &marks.between, &document, &marks.end].map(Vec::as_slice).concat())
        .collect())
}

/// A template with the texts in it; what they contain is not looked at.
fn fill(template: &str, query: &str, document: &str) -> String {
    let places = template.split("{query}").map(|part| part.split("{document}").collect::<Vec<_>>().join(document));
    places.collect::<Vec<_>>().join(query)
}

/// EM6, for pairs.
fn check_lengths(model: &LoadedModel, pairs: &[Vec<Token>]) -> Result<()> {
    let limit = model.info.context_length as usize;
    match pairs.iter().enumerate().find(|(_, pair)| pair.len() > limit) {
        Some((index, pair)) => {
            let message = format!(
                "'documents[{index}]' and the query have {} tokens together; this model takes {limit} at most: split \
                 or shorten the document",
                pair.len()
            );
            Err(Error::invalid(format!("documents[{index}]"), message).with_code("context_length_exceeded"))
        }
        None => Ok(()),
    }
}

/// Scores on their way. Dropping it spares the work.
#[derive(Debug)]
pub(crate) struct PendingRanking {
    scores: PendingVectors,
    model: String,
    score: RankScore,
    top_n: usize,
    /// The documents, if they are to be given back.
    documents: Option<Vec<crate::api::rerank::RerankDocument>>,
    tokens: u32,
}

impl PendingRanking {
    /// The reply, waiting for it as `wait` says.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<RerankResponse>> {
        self.scores.advance(wait).map(|scores| self.reply(&scores?))
    }

    fn wait(mut self) -> Result<RerankResponse> {
        block(|wait| self.advance(wait))
    }

    fn reply(&mut self, scores: &[Vec<f32>]) -> Result<RerankResponse> {
        let mut results = Vec::with_capacity(self.scores.order.len());
        for (index, &number) in (0..).zip(&self.scores.order) {
            let relevance_score = self.score.of(&scores[number])?;
            results.push(RerankResult { index, relevance_score, document: None });
        }
        results.sort_by(|a, b| b.relevance_score.total_cmp(&a.relevance_score));
        results.truncate(self.top_n);
        if let Some(documents) = &mut self.documents {
            for result in &mut results {
                result.document = Some(std::mem::take(&mut documents[result.index as usize]));
            }
        }
        Ok(RerankResponse::new(std::mem::take(&mut self.model), results, self.tokens))
    }
}

impl RankScore {
    /// From 0 to 1, of what the model computed for a text.
    fn of(self, outputs: &[f32]) -> Result<f32> {
        let output =
            outputs.first().copied().filter(|output| output.is_finite()).ok_or_else(|| {
                Error::internal("the model computed a score that is not finite; its file may be damaged")
            })?;
        Ok(match self {
            RankScore::Logit => 1.0 / (1.0 + (-output).exp()),
            RankScore::Probability => output.clamp(0.0, 1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_once() {
        let filled = fill("Q: {query} D: {document} {query}!", "{document}", "{query}");
        assert_eq!(filled, "Q: {document} D: {query} {document}!");
    }

    #[test]
    fn scores_are_probabilities() {
        let close = |score: RankScore, output: f32, expected: f32| {
            assert!((score.of(&[output]).unwrap() - expected).abs() < 1e-6);
        };
        close(RankScore::Logit, 0.0, 0.5);
        close(RankScore::Logit, -200.0, 0.0);
        close(RankScore::Logit, 2.0, 0.880_797);
        close(RankScore::Probability, 0.25, 0.25);
        assert!(RankScore::Logit.of(&[f32::NAN]).is_err() && RankScore::Logit.of(&[]).is_err());
    }
}
