//! From tokens to text: the scheduler and what one sequence needs.
//!
//! [`Generator`] is the handle of one model's scheduler thread. A request is
//! submitted with [`Generator::submit`] and answered with [`Event`]s.

mod choose;
mod draft;
mod draft_model;
mod encoder;
mod events;
mod logprobs;
mod lookup;
mod meter;
mod output;
mod pace;
mod params;
mod penalties;
mod prediction;
mod prefix;
mod prompt;
mod sampler;
mod scheduler;
mod sequence;
mod text;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::Sender;
use parking_lot::Mutex;

use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, Abort, Context, ContextOptions, Token};
use crate::call::Call;
use crate::constrain::Grammar;
use crate::metrics::ModelMeters;
use crate::model::Placement;
use crate::places::{Place, Places};
use crate::threads::{Ending, join_other};

use draft_model::DraftModel;
pub(crate) use events::{Event, EventReceiver, Progress};
pub(crate) use logprobs::TokenLogprob;
use meter::Meter;
use pace::FEW;
pub(crate) use params::SamplingParams;
pub(crate) use penalties::Penalties;
pub(crate) use prefix::PrefixFile;
pub(crate) use prompt::Prompt;
pub(crate) use sampler::Sampling;
use scheduler::Scheduler;
use sequence::Sequence;
pub(crate) use text::TextStream;

/// Prompt tokens computed in one step at most, so that a long prompt holds up
/// the tokens of others for no longer than one such slice.
pub(crate) const SLICE: usize = 256;

/// The same where layers are on a GPU, which is through with them sooner than a small batch keeps it busy.
pub(crate) const GPU_SLICE: usize = 512;

/// How many prompt tokens of a model are computed in one step at most.
pub(crate) fn slice_of(model: &backend::Model) -> usize {
    if model.layout().is_offloaded() { GPU_SLICE } else { SLICE }
}

/// Tokens in one step, beyond one for each sequence, that grammars have forced or
/// callers expect.
pub(crate) const EXTRA: usize = 64;

/// Tokens that callers expect, or of prompts that are scored, computed in one step
/// at most: each needs room for its logits.
pub(crate) const DRAFT: usize = 16;

/// What to generate.
#[derive(Debug, Clone)]
pub(crate) struct GenerationRequest {
    /// The prompt; not empty, and no longer than the context.
    pub(crate) prompt: Prompt,
    /// How many answers to generate over the one prompt; at least 1.
    pub(crate) choices: usize,
    /// Tokens of each answer at most, the end-of-turn token included; the
    /// context's end limits it further. 0 computes the prompt alone.
    pub(crate) max_tokens: Option<usize>,
    /// How to choose tokens.
    pub(crate) sampling: Sampling,
    /// Texts that end the generation and are not part of it.
    pub(crate) stops: Vec<String>,
    /// What changes the logits before sampling.
    pub(crate) penalties: Penalties,
    /// What the answer must match.
    pub(crate) grammar: Option<Grammar>,
    /// How many likely tokens to report for each chosen one, if any.
    pub(crate) top_logprobs: Option<usize>,
    /// Whether to report how likely the prompt's tokens were, with as many likely
    /// ones.
    pub(crate) scores_prompt: bool,
    /// Control tokens that are shown as text, because they mark up the answer.
    pub(crate) visible_controls: Arc<[Token]>,
    /// A text that the answer is expected to repeat in large parts.
    pub(crate) prediction: Option<Vec<Token>>,
}

/// Why a generation ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// An end-of-turn token or a stop text.
    Stop,
    /// The token limit or the context's end.
    Length,
}

/// How an answer ended, and the tokens that it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finish {
    pub(crate) reason: StopReason,
    /// The mean of its tokens' log probabilities, its end included; 0 unless they
    /// were asked for.
    pub(crate) mean_logprob: f64,
    pub(crate) prompt_tokens: usize,
    /// Of these, how many are sound.
    pub(crate) audio_tokens: usize,
    /// Of the prompt's, how many were not computed, because an earlier request had (CR13).
    pub(crate) cached_tokens: usize,
    /// All that was computed for the answer, rejected predictions too (CR14).
    pub(crate) completion_tokens: usize,
    pub(crate) accepted_prediction_tokens: usize,
    pub(crate) rejected_prediction_tokens: usize,
}

/// The size of a [`Generator`].
#[derive(Debug, Clone)]
pub(crate) struct GeneratorOptions {
    pub(crate) context: ContextOptions,
    /// Prompt tokens computed in one step at most: [`slice_of`] the model.
    pub(crate) slice: usize,
    /// Sequences that the prefix cache keeps beside those that run.
    pub(crate) kept: u32,
    /// Where it is saved.
    pub(crate) prefixes: Option<PrefixFile>,
    /// Requests that may wait.
    pub(crate) queue: usize,
    /// Whether a token's logits depend on the tokens before it alone.
    pub(crate) uniform: bool,
    /// Whether repetition is speculated on, where that changes no answer.
    pub(crate) speculation: bool,
    /// A smaller model that drafts answers.
    pub(crate) draft: Option<DraftOptions>,
    /// What stops computing images and sound, if prompts may have them.
    pub(crate) encoding: Option<Abort>,
}

/// A model that drafts another one's answers.
#[derive(Debug, Clone)]
pub(crate) struct DraftOptions {
    pub(crate) model: Arc<backend::Model>,
    /// Whether our kernels compute attention, where they can.
    pub(crate) own_attention: bool,
}

/// The handle of one model's scheduler thread.
#[derive(Debug)]
pub(crate) struct Generator {
    submissions: Mutex<Option<Submissions>>,
    places: Places,
    context_length: usize,
    model: Arc<backend::Model>,
    abort: Abort,
    encoding: Option<Abort>,
    ending: Ending,
    meters: Arc<ModelMeters>,
    placement: Vec<Placement>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The ways to the threads.
#[derive(Debug)]
struct Submissions {
    scheduler: Sender<Sequence>,
    /// For prompts with media that are not computed yet; it hands them on.
    encoder: Option<Sender<Sequence>>,
}

impl Generator {
    /// Makes the model's context and starts its scheduler.
    pub(crate) fn start(
        model: Arc<backend::Model>,
        context_length: usize,
        options: &GeneratorOptions,
        meters: &Arc<ModelMeters>,
    ) -> Result<Self> {
        let (abort, ending) = (Abort::default(), Ending::default());
        let context = Context::new(model.clone(), &options.context, abort.clone())?;
        let placement = context.placement();
        let draft = options.draft.as_ref().map(|draft| draft_model(&model, draft, &options.context, &abort));
        let (sender, receiver) = crossbeam_channel::unbounded();
        let scheduler = Scheduler::new(context, draft.transpose()?, receiver, options, meters.clone(), ending.clone())?;
        let mut threads = vec![start("scheduler", move || scheduler.run())?];
        let encoder = if options.encoding.is_some() {
            let (encoder, arriving) = crossbeam_channel::unbounded();
            let (scheduler, ending) = (sender.clone(), ending.clone());
            threads.push(start("encoder", move || encoder::run(&arriving, &scheduler, &ending))?);
            Some(encoder)
        } else {
            None
        };
        Ok(Generator {
            submissions: Mutex::new(Some(Submissions { scheduler: sender, encoder })),
            places: Places::new(options.context.sequences as usize + options.queue),
            context_length,
            model,
            abort,
            encoding: options.encoding.clone(),
            ending,
            meters: meters.clone(),
            placement,
            threads: Mutex::new(threads),
        })
    }

    /// What of the model and its context lies where.
    pub(crate) fn placement(&self) -> &[Placement] {
        &self.placement
    }

    /// Tokens of a prompt and its answer together at most.
    pub(crate) fn context_length(&self) -> usize {
        self.context_length
    }

    /// A place for a request; one with images or sound needs it before these are decoded, which takes memory.
    ///
    /// # Errors
    ///
    /// `RateLimit` when too many requests wait (ER5).
    pub(crate) fn place(&self) -> Result<Place> {
        self.places.take()
    }

    /// Queues a request.
    ///
    /// # Errors
    ///
    /// `RateLimit` when the caller has no tokens left, `Timeout` when the request's time has passed, and what
    /// [`end`](Self::end) was given after that.
    pub(crate) fn submit(&self, place: Place, request: &GenerationRequest) -> Result<EventReceiver> {
        self.submit_all(place, std::slice::from_ref(request))
    }

    /// Queues several prompts as one request. Their choices are numbered
    /// throughout, and other callers' requests come between them.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub(crate) fn submit_all(&self, place: Place, requests: &[GenerationRequest]) -> Result<EventReceiver> {
        let place = Arc::new(place);
        let call = Call::current();
        let (mut events, mut receiver) = events::channel(requests.iter().map(|request| request.choices).sum());
        receiver.belongs_to(call.clone());
        let meter = Meter::new(call.clone(), self.meters.clone());
        let mut sequences = Vec::with_capacity(requests.len());
        for request in requests {
            let prompt_tokens = request.prompt.tokens.len();
            let limit = self.context_length - prompt_tokens.min(self.context_length);
            let max_tokens = request.max_tokens.map_or(limit, |max| max.min(limit));
            if let Some(call) = &call {
                let asked_for = request.max_tokens.map_or(0, |_| max_tokens.saturating_mul(request.choices));
                call.take_tokens(prompt_tokens, asked_for)?;
            }
            let own = events.drain(..request.choices).collect();
            sequences.push(Sequence::of_request(request, max_tokens, own, &self.model, &place, &meter)?);
        }
        self.meters.prompt_tokens.add(requests.iter().map(|request| request.prompt.tokens.len()).sum());
        let sequence = Sequence::one_after_another(sequences)?;
        let submissions = self.submissions.lock();
        let Submissions { scheduler, encoder } = submissions.as_ref().ok_or_else(|| self.ending.error())?;
        let encoder = encoder.as_ref().filter(|_| !sequence.media().is_encoded());
        encoder.unwrap_or(scheduler).send(sequence).map_err(|_| self.ending.error())?;
        Ok(receiver)
    }

    /// Whether requests are running or waiting.
    pub(crate) fn is_busy(&self) -> bool {
        self.places.are_taken()
    }

    /// Ends all requests with `reason`, and the threads. Returns when these have gone, unless it is called on
    /// one of them.
    pub(crate) fn end(&self, reason: Error) {
        self.ending.set(reason);
        let senders = self.submissions.lock().take();
        drop(senders);
        for abort in self.encoding.iter().chain([&self.abort]) {
            abort.abort();
        }
        let threads = std::mem::take(&mut *self.threads.lock());
        // They wait for each other, so that none of them can wait for another one.
        if threads.iter().all(|thread| thread.thread().id() != thread::current().id()) {
            threads.into_iter().for_each(join_other);
        }
    }
}

/// The draft model of a model that has such a context.
fn draft_model(
    model: &backend::Model,
    draft: &DraftOptions,
    context: &ContextOptions,
    abort: &Abort,
) -> Result<DraftModel> {
    // It is asked about few sequences at a time.
    let sequences = u32::try_from(FEW).unwrap_or(u32::MAX);
    let context = ContextOptions {
        batch: u32::try_from(SLICE).unwrap_or(u32::MAX),
        sequences,
        outputs: sequences,
        own_attention: draft.own_attention,
        is_offloaded: draft.model.layout().is_offloaded(),
        adapters: Vec::new(),
        ..context.clone()
    };
    DraftModel::new(draft.model.clone(), &context, model.vocab().len(), abort.clone())
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("zerohop-{name}")).spawn(run).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("the {name} thread cannot start")).with_source(error)
    })
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.end(Error::closed());
    }
}
