//! The threads that hear: they compute one window of one request after another, each request in turn.

use std::borrow::Cow;
use std::sync::Arc;

use super::feed::{self, End, News, Piece};
use super::windows::{Next, WINDOW, Windows, seconds};
use super::words::{self, Place as Placed};
use crate::api::error::Result;
use crate::audio::RATE;
use crate::backend::{SpeechModel, SpeechState, Token, WindowOptions};
use crate::jobs::{self, Queue, Ticket};
use crate::metrics::ModelMeters;

/// Tokens that a window is told of what was before it: half of a model's context, without a mark.
const PAST: usize = 223;
/// Bytes of a prompt that are read: a token has eight at most, nearly always.
const PROMPT_BYTES: usize = 8 * PAST;
/// Above this temperature, what was heard says little about what follows.
const CONDITIONING_TEMPERATURE: f32 = 0.5;
/// The shortest window that is given to whisper.cpp; shorter ones are followed by silence.
const SHORTEST: usize = RATE as usize * 11 / 10;

/// A request that is being heard.
pub(super) struct Job {
    pub(super) windows: Windows,
    pub(super) options: WindowOptions,
    /// What might have been said before.
    pub(super) prompt: Option<String>,
    /// Whether a window is told only of the prompt, not of the windows before it.
    pub(super) windows_are_separate: bool,
    pub(super) ticket: Ticket<News, feed::Progress>,
    pub(super) progress: Progress,
}

/// How far a request has come.
#[derive(Default)]
pub(super) struct Progress {
    begun: bool,
    prompt: Vec<Token>,
    /// Tokens before the next window.
    past: Vec<Token>,
    /// The code and the name of the language, once it is known.
    language: Option<(&'static str, &'static str)>,
}

/// What one thread needs.
pub(super) struct Worker {
    pub(super) state: SpeechState,
    pub(super) model: Arc<SpeechModel>,
    pub(super) threads: u32,
    pub(super) meters: Arc<ModelMeters>,
}

impl Worker {
    /// Serves requests until the model is ended.
    pub(super) fn run(mut self, queue: &Queue<Job>) {
        queue.serve(|job| Ok(self.step(job, queue)?.map(News::End)));
    }

    /// Computes a request's next window, or passes what has nothing to hear; gives the end when there is none.
    fn step(&mut self, job: &mut Job, queue: &Queue<Job>) -> Result<Option<End>> {
        if !job.progress.begun {
            job.begin(&self.model)?;
            self.meters.queue_time.note(job.ticket.arrived.elapsed(), 1);
        }
        let Ticket { stop, call, .. } = &job.ticket;
        if stop.is_reached() {
            return Err(queue.reason(stop, call.as_deref()));
        }
        let duration = job.windows.duration();
        let window = match job.windows.next()? {
            Next::Window(window) => window,
            Next::Gap => {
                job.ticket.feed.progress((job.windows.seconds(), duration));
                return Ok(None);
            }
            Next::End => return Ok(Some(job.end())),
        };
        if window.follows_gap || job.windows_are_separate {
            job.progress.past.clone_from(&job.progress.prompt);
        }
        let options = WindowOptions { threads: self.threads, ..job.progress.window_options(&job.options) };
        let Some(computed) = self.state.compute(&long_enough(window.samples), &options, stop)? else {
            return Err(queue.reason(stop, call.as_deref()));
        };
        let language = job.progress.language.or_else(|| self.model.language(computed.language));
        let place = Placed {
            start: seconds(window.start),
            length: seconds(window.samples.len() as u64),
            levels: &window.levels,
            language: language.map_or("en", |(code, _)| code),
        };
        let segments = words::hear(&self.model, &computed, &place);
        let heard = window.samples.len();
        job.progress.language = language;
        job.progress.past.extend(segments.iter().flat_map(|segment| &segment.tokens));
        if computed.temperature > CONDITIONING_TEMPERATURE {
            job.progress.past.clear();
        }
        // Hundredths of a second; what is nonsense passes the window.
        let advance = usize::try_from(computed.advance).ok().filter(|advance| *advance > 0).unwrap_or(WINDOW);
        job.windows.pass(advance.saturating_mul(RATE as usize / 100).min(heard));
        let written = segments.iter().map(|segment| segment.logprobs.len()).sum();
        self.meters.prompt_tokens.add(heard * super::TOKENS_OF_SECOND / RATE as usize);
        self.meters.completion_tokens.add(written);
        if let Some(call) = &job.ticket.call {
            call.add_completion_tokens(written);
        }
        job.ticket.feed.progress((job.windows.seconds(), duration));
        if !segments.is_empty() {
            job.ticket.feed.send(News::Piece(Piece { segments }));
        }
        Ok(None)
    }
}

/// Samples as whisper.cpp takes them, silence added.
fn long_enough(samples: &[f32]) -> Cow<'_, [f32]> {
    match SHORTEST.checked_sub(samples.len()) {
        Some(missing @ 1..) => [samples, &vec![0.0; missing]].concat().into(),
        _ => samples.into(),
    }
}

impl Progress {
    /// What is told to a window of those before it.
    fn window_options(&self, options: &WindowOptions) -> WindowOptions {
        WindowOptions {
            language: self.language.map(|(code, _)| code),
            prompt: self.past[self.past.len().saturating_sub(PAST)..].to_vec(),
            ..options.clone()
        }
    }
}

impl Job {
    /// Reads the prompt. Here, because whisper.cpp takes much of the stack for it.
    fn begin(&mut self, model: &SpeechModel) -> Result<()> {
        self.progress.begun = true;
        self.progress.language = self
            .options
            .language
            .and_then(|code| (0..).map_while(|number| model.language(number)).find(|(known, _)| *known == code));
        if let Some(prompt) = &self.prompt {
            let start = (prompt.len().saturating_sub(PROMPT_BYTES)..=prompt.len())
                .find(|start| prompt.is_char_boundary(*start));
            let tail = prompt.get(start.unwrap_or_default()..).unwrap_or_default().trim();
            let mut tokens = if tail.is_empty() { Vec::new() } else { model.tokenize(&format!(" {tail}"))? };
            // The spelling of a control token is text.
            tokens.retain(|token| model.token_text(*token).is_some());
            tokens.drain(..tokens.len().saturating_sub(PAST));
            if let Some(call) = &self.ticket.call {
                call.take_tokens(tokens.len(), 0)?;
            }
            self.progress.prompt.clone_from(&tokens);
            self.progress.past = tokens;
        }
        Ok(())
    }

    /// What is told of the whole, once all was heard.
    fn end(&self) -> End {
        let duration = self.windows.seconds();
        self.ticket.feed.progress((duration, Some(duration)));
        End {
            duration,
            language: self.progress.language.map_or("english", |(_, name)| name),
            prompt_tokens: self.progress.prompt.len(),
            usage: None,
        }
    }
}

impl jobs::Job for Job {
    type News = News;
    type Progress = feed::Progress;

    fn ticket(&self) -> &Ticket<News, feed::Progress> {
        &self.ticket
    }

    fn into_ticket(self) -> Ticket<News, feed::Progress> {
        self.ticket
    }
}
