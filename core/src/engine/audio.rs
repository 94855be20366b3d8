//! Speech to text as typed calls.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::Engine;
use crate::api::audio::{AudioResponseFormat, CreateTranscriptionRequest, CreateTranslationRequest};
use crate::api::audio_reply::TranscriptionReply;
use crate::api::error::{Error, Result};
use crate::door;
use crate::engine::calls::{read_reply, successful};
use crate::router::{Body, Pending};
use crate::transcribe::{PendingTranscription, TranscriptionStream};
use crate::wait::Wait;

/// How often progress is reported.
const REPORT_PERIOD: Duration = Duration::from_millis(100);

/// Speech to text of an [`Engine`], in the speech's language.
#[derive(Debug, Clone, Copy)]
pub struct Transcriptions<'a> {
    pub(super) engine: &'a Engine,
}

/// Speech to text of an [`Engine`], in English.
#[derive(Debug, Clone, Copy)]
pub struct Translations<'a> {
    pub(super) engine: &'a Engine,
}

impl Transcriptions<'_> {
    /// Writes down what is said in a file. Blocks until the whole of it was heard. Callers take turns, window
    /// by window of 30 seconds, so that a short file does not wait for a long one. A chat model with a projector
    /// that hears does it too, in one piece and without times.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, also for audio that cannot be decoded; `NotFound` for an unknown
    /// model; `RateLimit` when the queue is full.
    ///
    /// ```no_run
    /// use zerohop::types::{AudioFile, CreateTranscriptionRequest};
    ///
    /// let engine = zerohop::Engine::builder().model("whisper", "ggml-tiny.en.bin").build()?;
    /// let file = AudioFile::new("meeting.mp3", std::fs::read("meeting.mp3").unwrap());
    /// let reply = engine.transcriptions().create(&CreateTranscriptionRequest::new("whisper", file))?;
    /// println!("{}", reply.text());
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateTranscriptionRequest) -> Result<TranscriptionReply> {
        request.validate(false)?;
        if self.engine.isolated().is_some() {
            return remote_text(request.response_format, self.send(request)?.wait()?);
        }
        self.submit(request)?.wait()
    }

    /// Like [`create`](Self::create), telling meanwhile how many seconds have been heard, and of how many if the
    /// file says so. The request is cancelled when `report` gives false. With
    /// [`isolation`](crate::EngineBuilder::isolation), nothing is known of that before the end: 0 and `None`.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and `Cancelled`.
    ///
    /// ```no_run
    /// # use zerohop::types::{AudioFile, CreateTranscriptionRequest};
    /// # let engine = zerohop::Engine::builder().model("whisper", "ggml-tiny.en.bin").build()?;
    /// # let request = CreateTranscriptionRequest::new("whisper", AudioFile::new("a.mp3", vec![]));
    /// let reply = engine.transcriptions().create_with_progress(&request, |heard, length| {
    ///     eprintln!("{heard} of {length:?} seconds");
    ///     true
    /// })?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_with_progress(
        &self,
        request: &CreateTranscriptionRequest,
        mut report: impl FnMut(f64, Option<f64>) -> bool,
    ) -> Result<TranscriptionReply> {
        request.validate(false)?;
        if self.engine.isolated().is_some() {
            let mut pending = self.send(request)?;
            loop {
                // The worker tells of the end alone.
                if !report(0.0, None) {
                    return Err(Error::cancelled());
                }
                if let Poll::Ready(reply) = pending.wait_until(Instant::now() + REPORT_PERIOD) {
                    return remote_text(request.response_format, reply?);
                }
            }
        }
        let mut pending = self.submit(request)?;
        loop {
            let (heard, length) = pending.progress();
            if !report(heard, length) {
                return Err(Error::cancelled());
            }
            if let Poll::Ready(reply) = pending.advance(&mut Wait::Until(Instant::now() + REPORT_PERIOD)) {
                return reply;
            }
        }
    }

    /// Sends a request as a client would, and answers as HTTP has it: JSON or text as `response_format` says,
    /// or events if `stream` is true. No key is needed.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for what no client could send, and what HTTP has no status for: a closed engine. Other
    /// errors are responses.
    pub fn send(&self, request: &CreateTranscriptionRequest) -> Result<Pending> {
        let stream = request.stream == Some(true);
        request.validate(stream)?;
        door::submit(self.engine, &request.to_http(stream)?, false)
    }

    /// Writes down what is said in a file piece by piece, as it is heard.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```no_run
    /// # use zerohop::types::{AudioFile, CreateTranscriptionRequest};
    /// # let engine = zerohop::Engine::builder().model("whisper", "ggml-tiny.en.bin").build()?;
    /// # let request = CreateTranscriptionRequest::new("whisper", AudioFile::new("a.mp3", vec![]));
    /// for piece in engine.transcriptions().create_stream(&request)? {
    ///     print!("{}", piece?.delta().unwrap_or("\n"));
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_stream(&self, request: &CreateTranscriptionRequest) -> Result<TranscriptionStream> {
        request.validate(true)?;
        if self.engine.isolated().is_some() {
            let reply = successful(door::submit(self.engine, &request.to_http(true)?, false)?.wait()?)?;
            return match reply.into_body() {
                Body::Events(events) => TranscriptionStream::of_worker(events),
                Body::Full(_) => Err(Error::internal("the worker process does not stream")),
            };
        }
        self.submit_stream(request)
    }

    /// Starts a validated request that is answered as a whole.
    pub(crate) fn submit(self, request: &CreateTranscriptionRequest) -> Result<PendingTranscription> {
        self.engine
            .in_call("transcription", &request.model, || Ok(self.engine.served(&request.model)?.hear(request)?.whole()))
    }

    /// Starts a validated request that is answered piece by piece.
    pub(crate) fn submit_stream(self, request: &CreateTranscriptionRequest) -> Result<TranscriptionStream> {
        self.engine.in_call("transcription", &request.model, || {
            Ok(TranscriptionStream::new(self.engine.served(&request.model)?.hear(request)?))
        })
    }
}

impl Translations<'_> {
    /// Writes down in English what is said in a file, whatever its language. Blocks until the whole of it was
    /// heard.
    ///
    /// # Errors
    ///
    /// As [`Transcriptions::create`], and `InvalidRequest` for a model that knows English alone.
    ///
    /// ```no_run
    /// use zerohop::types::{AudioFile, CreateTranslationRequest};
    ///
    /// let engine = zerohop::Engine::builder().model("whisper", "ggml-base.bin").build()?;
    /// let file = AudioFile::new("rede.ogg", std::fs::read("rede.ogg").unwrap());
    /// println!("{}", engine.translations().create(&CreateTranslationRequest::new("whisper", file))?.text());
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateTranslationRequest) -> Result<TranscriptionReply> {
        request.validate()?;
        if self.engine.isolated().is_some() {
            return remote_text(request.response_format, self.send(request)?.wait()?);
        }
        self.submit(request)?.wait()
    }

    /// As [`Transcriptions::send`].
    ///
    /// # Errors
    ///
    /// As [`Transcriptions::send`].
    pub fn send(&self, request: &CreateTranslationRequest) -> Result<Pending> {
        request.validate()?;
        door::submit(self.engine, &request.to_http()?, false)
    }

    /// Starts a validated request.
    pub(crate) fn submit(self, request: &CreateTranslationRequest) -> Result<PendingTranscription> {
        self.engine.in_call("translation", &request.model, || {
            Ok(self.engine.served(&request.model)?.translate(request)?.whole())
        })
    }
}

impl Engine {
    /// Speech to text, in the speech's language.
    pub fn transcriptions(&self) -> Transcriptions<'_> {
        Transcriptions { engine: self }
    }

    /// Speech to text, in English.
    pub fn translations(&self) -> Translations<'_> {
        Translations { engine: self }
    }
}

/// A worker process's reply.
fn remote_text(format: Option<AudioResponseFormat>, reply: http::Response<Body>) -> Result<TranscriptionReply> {
    let Body::Full(body) = successful(reply)?.into_body() else {
        return Err(Error::internal("the worker process streams"));
    };
    match format.unwrap_or_default() {
        AudioResponseFormat::Json => read_reply(&body).map(TranscriptionReply::Json),
        AudioResponseFormat::VerboseJson => read_reply(&body).map(TranscriptionReply::Verbose),
        AudioResponseFormat::Text | AudioResponseFormat::Srt | AudioResponseFormat::Vtt => String::from_utf8(body)
            .map(TranscriptionReply::Text)
            .map_err(|_| Error::internal("the worker process wrote no UTF-8")),
    }
}
