//! Speech to text: a request's way to the threads that hear, and its text's way back.
//!
//! `file -> audio -> windows -> segments -> reply`

mod chat;
mod feed;
mod form;
mod levels;
mod reply;
mod stream;
mod windows;
mod words;
mod worker;

use std::sync::Arc;

use crate::api::audio::{AudioFile, ChunkingStrategy};
use crate::api::error::{Error, Result};
use crate::audio::{Audio, RATE};
use crate::backend::{SpeechState, WindowOptions};
use crate::jobs::{Threads, Ticket};
use crate::metrics::ModelMeters;
use crate::model::{ModelInfo, SpokenModel};
use crate::places::Places;
pub(crate) use chat::Listener;
pub(crate) use form::{SpeechForm, read_model};
pub(crate) use reply::{Hearing, PendingTranscription};
pub use stream::{TranscriptionAsyncStream, TranscriptionStream};
use windows::{Pauses, Windows};
use worker::{Job, Progress, Worker};

/// Tokens that a second of audio counts as: the positions that an encoder computes for it.
const TOKENS_OF_SECOND: usize = 50;
/// The step between the temperatures of a passage's passes.
const TEMPERATURE_STEP: f32 = 0.2;
/// Bytes of the files of all requests that run or wait, which is two of the largest.
const MAX_BYTES: usize = 1 << 30;
/// Bytes of stack of a thread that hears: whisper.cpp splits prompts with a regular expression.
const STACK: usize = 16 << 20;

/// What is to be heard, and how.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) file: AudioFile,
    pub(crate) language: Option<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) temperature: f32,
    pub(crate) translate: bool,
    pub(crate) words: bool,
    pub(crate) strategy: Option<ChunkingStrategy>,
}

/// The handle of one speech model's threads. Dropping it ends them.
pub(crate) struct Transcriber {
    model: SpokenModel,
    threads: Threads<Job>,
    places: Places,
    /// The bytes of all requests' files.
    bytes: Places,
}

impl Transcriber {
    /// Starts so many threads that hear, which share `threads` for computing.
    pub(crate) fn start(
        model: SpokenModel,
        states: u32,
        threads: u32,
        queue: usize,
        meters: &Arc<ModelMeters>,
    ) -> Result<Self> {
        let workers = Threads::start("zerohop-speech", STACK, meters.clone())?;
        let all = SpeechState::of(&model.backend, states as usize)?;
        meters.slots.set(all.len());
        for state in all {
            let worker = Worker {
                state,
                model: model.backend.clone(),
                threads: (threads / states).max(1),
                meters: meters.clone(),
            };
            workers.add(move |queue| worker.run(queue))?;
        }
        let places = Places::new(states as usize + queue);
        Ok(Transcriber { model, threads: workers, places, bytes: Places::new(MAX_BYTES) })
    }

    pub(crate) fn info(&self) -> &ModelInfo {
        &self.model.info
    }

    /// Hands a validated request to the threads.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for audio that cannot be decoded and a language that the model does not know;
    /// `RateLimit` when too many requests wait; `Timeout` when the request's time has passed; what
    /// [`end`](Self::end) was given after that.
    fn submit(&self, task: Task) -> Result<feed::Receiver> {
        let language = self.language(&task)?;
        if task.prompt.as_deref().is_some_and(|prompt| prompt.contains('\0')) {
            return Err(Error::invalid("prompt", "'prompt' must have no NUL characters"));
        }
        let bytes = self.bytes.take_many(task.file.content.len(), || {
            format!("audio files of {} MiB are running or waiting already; try again later", MAX_BYTES >> 20)
        })?;
        let places = vec![self.places.take()?, bytes];
        let audio = Audio::open(task.file.content, &task.file.name)?;
        let (ticket, receiver) = Ticket::new(places)?;
        let samples = |milliseconds: u32| milliseconds as usize * (RATE as usize / 1000);
        let pauses = task.strategy.map(|strategy| {
            let (threshold, padding, silence) = strategy.parameters();
            Pauses { threshold, padding: samples(padding), silence: samples(silence) }
        });
        let job = Job {
            windows: Windows::new(audio, pauses),
            options: WindowOptions {
                language,
                translate: task.translate,
                words: task.words,
                temperature: task.temperature,
                temperature_step: if task.temperature > 0.0 { 0.0 } else { TEMPERATURE_STEP },
                ..WindowOptions::default()
            },
            prompt: task.prompt,
            windows_are_separate: pauses.is_some(),
            ticket,
            progress: Progress::default(),
        };
        self.threads.push(job)?;
        Ok(receiver)
    }

    /// The code of the language to hear; `None` if it is to be found out.
    fn language(&self, task: &Task) -> Result<Option<&'static str>> {
        let model = &self.model.backend;
        if task.translate && !model.is_multilingual() {
            let message = format!("the model '{}' knows English alone and translates nothing", self.model.info.id);
            return Err(Error::invalid("model", message));
        }
        let Some(wanted) = &task.language else {
            return Ok(if model.is_multilingual() { None } else { Some("en") });
        };
        let wanted = wanted.to_lowercase();
        let mut languages = (0..).map_while(|number| model.language(number));
        let found = languages.find(|(code, name)| *code == wanted || *name == wanted);
        found.map(|(code, _)| Some(code)).ok_or_else(|| {
            let known =
                if model.is_multilingual() { "give a code of ISO 639-1, such as 'en'" } else { "it knows 'en'" };
            let wanted = crate::api::parse::shorten(&wanted).into_owned();
            let message = format!("the model '{}' does not know the language '{wanted}': {known}", self.model.info.id);
            Error::invalid("language", message)
        })
    }

    /// Whether requests are running or waiting.
    pub(crate) fn is_busy(&self) -> bool {
        self.places.are_taken()
    }

    /// Ends all requests with `reason`, and the threads. Returns when they have gone.
    pub(crate) fn end(&self, reason: Error) {
        self.threads.end(reason);
    }
}
