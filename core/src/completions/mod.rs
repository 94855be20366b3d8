//! Legacy completions: plain text, gone on from (CO1 to CO8).
//!
//! `request -> tokens of each prompt -> generate -> pieces -> whole answer or chunks`.

mod assemble;
mod logprobs;
mod prompt;
mod read;
mod stream;

use std::sync::Arc;

use crate::api::chat_options::Stop;
use crate::api::completions::CreateCompletionRequest;
use crate::api::completions_reply::Completion;
use crate::api::error::{Error, ErrorKind, Result};
use crate::chat::value_rule;
use crate::constrain::Grammar;
use crate::engine::Engine;
use crate::generate::{GenerationRequest, SamplingParams};
use crate::model::LoadedModel;
use crate::models::ServedModel;

pub(crate) use assemble::PendingCompletion;
use prompt::Prompt;
use read::{Reading, ReplyHead};
pub use stream::{CompletionAsyncStream, CompletionStream};

/// The path of legacy completions.
const COMPLETIONS: &str = "/v1/completions";

/// Legacy completions of an [`Engine`].
#[derive(Debug, Clone, Copy)]
pub struct Completions<'a> {
    engine: &'a Engine,
}

impl Engine {
    /// Legacy completions: plain text, without a chat template.
    pub fn completions(&self) -> Completions<'_> {
        Completions { engine: self }
    }
}

impl Completions<'_> {
    /// Goes on from a text, or from several. Blocks until the answer is complete, whatever the
    /// request's `stream` says.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, also where a model cannot fill in between a prompt and a
    /// `suffix`; `NotFound` for an unknown model; `RateLimit` when the queue is full.
    ///
    /// ```no_run
    /// use zerohop::types::CreateCompletionRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("coder", "qwen-coder.gguf").build()?;
    /// let gap = CreateCompletionRequest::new("coder", "def add(a, b):\n    return ").suffix("\n\nprint(add(1, 2))");
    /// println!("{}", engine.completions().create(&gap)?.text().unwrap_or_default());
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateCompletionRequest) -> Result<Completion> {
        request.validate(false)?;
        if let Some(reply) = self.engine.remote(COMPLETIONS, request) {
            return reply;
        }
        self.submit(request)?.wait()
    }

    /// Goes on from a text piece by piece, as it is generated, whatever the request's `stream` says.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```no_run
    /// # use zerohop::types::CreateCompletionRequest;
    /// # let engine = zerohop::Engine::builder().model("base", "base.gguf").build()?;
    /// for chunk in engine.completions().create_stream(&CreateCompletionRequest::new("base", "1, 2, 3,"))? {
    ///     print!("{}", chunk?.text().unwrap_or_default());
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_stream(&self, request: &CreateCompletionRequest) -> Result<CompletionStream> {
        request.validate(true)?;
        if let Some(events) = self.engine.remote_events(COMPLETIONS, request) {
            return CompletionStream::of_worker(events?);
        }
        self.submit_stream(request)
    }

    /// Starts a validated request that is answered as a whole.
    pub(crate) fn submit(self, request: &CreateCompletionRequest) -> Result<PendingCompletion> {
        self.engine.in_call("text_completion", &request.model, || {
            let served = self.engine.served(&request.model)?;
            Ok(PendingCompletion::new(submit(&served, request)?, request))
        })
    }

    /// Starts a validated request that is answered piece by piece.
    pub(crate) fn submit_stream(self, request: &CreateCompletionRequest) -> Result<CompletionStream> {
        self.engine.in_call("text_completion", &request.model, || {
            let served = self.engine.served(&request.model)?;
            let usage = request.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false);
            Ok(CompletionStream::new(submit(&served, request)?, usage))
        })
    }
}

/// Hands a validated request to the scheduler.
fn submit(served: &ServedModel, request: &CreateCompletionRequest) -> Result<Reading> {
    let (model, generator) = (served.model()?, served.generator()?);
    let prompts = prompt::prompts(model, request, generator.context_length())?;
    let grammar = grammar(model, request)?;
    let params = request.sampling_params();
    let penalties = params.penalties(model.backend.vocab())?;
    // Which answers are the best is told by their tokens' probabilities.
    let top_logprobs = match request.logprobs {
        None if request.candidates() > request.choices() => Some(0),
        count => count,
    };
    let generation = |prompt: &Prompt| {
        Ok(GenerationRequest {
            prompt: prompt.tokens.clone().into(),
            choices: request.candidates() as usize,
            max_tokens: Some(request.token_limit() as usize),
            // Without a seed of the caller's, equal prompts have answers of their own.
            sampling: SamplingParams::sampling(&params)?,
            stops: request.stop.as_ref().map_or(&[][..], Stop::as_slice).to_vec(),
            penalties: penalties.clone(),
            grammar: grammar.clone(),
            top_logprobs: top_logprobs.map(|count| count as usize),
            scores_prompt: request.scores_prompt(),
            visible_controls: Arc::new([]),
            prediction: None,
        })
    };
    let generations = prompts.iter().map(generation).collect::<Result<Vec<_>>>()?;
    let events = generator.submit_all(generator.place()?, &generations)?;
    let head = ReplyHead::new(&request.model, served.fingerprint());
    Ok(Reading::new(head, events, request, prompts, model))
}

/// The parameter that sets the text's form.
fn form_param(request: &CreateCompletionRequest) -> &'static str {
    if request.ext.grammar.is_some() { "grammar" } else { "response_format" }
}

/// The grammar of the answers, if the request sets their form.
fn grammar(model: &LoadedModel, request: &CreateCompletionRequest) -> Result<Option<Grammar>> {
    let rule = value_rule(model, request.ext.grammar.as_deref(), request.ext.response_format.as_ref())?;
    let Some(rule) = rule else { return Ok(None) };
    let compiled = model.token_env()?.compile(&format!("start: {rule}\n"));
    compiled.map(Some).map_err(|error| match (error.kind(), form_param(request)) {
        (ErrorKind::InvalidRequest, param) => Error::invalid(param, format!("'{param}' {}", error.message())),
        _ => error,
    })
}
