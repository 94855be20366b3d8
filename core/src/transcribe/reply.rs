//! Texts, subtitles and objects of what was heard.

use std::fmt::Write as _;
use std::task::Poll;

use serde::Serialize;

use super::chat::Answer;
use super::feed::{End, News, Receiver};
use super::words::Heard;
use super::{TOKENS_OF_SECOND, Task, Transcriber};
use crate::api::audio::{
    AudioResponseFormat, CreateTranscriptionRequest, CreateTranslationRequest, TimestampGranularity,
    TranscriptionInclude,
};
use crate::api::audio_reply::{
    InputTokenDetails, Transcription, TranscriptionLogprob, TranscriptionReply, TranscriptionSegment,
    TranscriptionUsage, TranscriptionVerbose, TranscriptionWord,
};
use crate::api::error::Result;
use crate::cancel::CancelHandle;
use crate::wait::{Wait, block};

/// What a reply is to have.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for on its own")]
pub(crate) struct Reply {
    format: AudioResponseFormat,
    pub(super) logprobs: bool,
    words: bool,
    segments: bool,
    translated: bool,
}

impl Reply {
    pub(crate) fn of_transcription(request: &CreateTranscriptionRequest) -> Self {
        Reply {
            format: request.response_format.unwrap_or_default(),
            logprobs: request.include.contains(&TranscriptionInclude::Logprobs),
            words: request.wants(TimestampGranularity::Word),
            segments: request.wants(TimestampGranularity::Segment),
            translated: false,
        }
    }

    pub(super) fn of_translation(request: &CreateTranslationRequest) -> Self {
        Reply {
            format: request.response_format.unwrap_or_default(),
            logprobs: false,
            words: false,
            segments: true,
            translated: true,
        }
    }
}

impl Task {
    fn of_transcription(request: &CreateTranscriptionRequest) -> Self {
        Task {
            file: request.file.clone(),
            language: request.language.clone(),
            prompt: request.prompt.clone(),
            temperature: request.temperature.unwrap_or_default(),
            translate: false,
            words: request.wants(TimestampGranularity::Word),
            strategy: request.chunking_strategy,
        }
    }

    fn of_translation(request: &CreateTranslationRequest) -> Self {
        Task {
            file: request.file.clone(),
            language: None,
            prompt: request.prompt.clone(),
            temperature: request.temperature.unwrap_or_default(),
            translate: true,
            words: false,
            strategy: None,
        }
    }
}

impl Transcriber {
    /// Starts a validated request; what comes of it is fetched piece by piece.
    pub(crate) fn hear(&self, request: &CreateTranscriptionRequest) -> Result<Hearing> {
        let source = Source::Windows(self.submit(Task::of_transcription(request))?);
        Ok(Hearing { source, reply: Reply::of_transcription(request) })
    }

    /// The same for one that is to be put into English.
    pub(crate) fn translate(&self, request: &CreateTranslationRequest) -> Result<Hearing> {
        let source = Source::Windows(self.submit(Task::of_translation(request))?);
        Ok(Hearing { source, reply: Reply::of_translation(request) })
    }
}

/// A request that is being heard. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct Hearing {
    pub(super) source: Source,
    pub(super) reply: Reply,
}

/// Who hears.
#[derive(Debug)]
pub(super) enum Source {
    /// A speech model, in windows.
    Windows(Receiver),
    /// A chat model.
    Chat(Answer),
}

impl Source {
    /// The next news, waiting for it as `wait` says; nothing must be asked for after the end.
    pub(super) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<News>> {
        match self {
            Source::Windows(receiver) => receiver.advance(wait),
            Source::Chat(answer) => answer.advance(wait),
        }
    }

    /// The seconds that have been heard, and of how many, if the file says so. A chat model does not tell.
    pub(super) fn progress(&self) -> (f64, Option<f64>) {
        match self {
            Source::Windows(receiver) => receiver.progress(),
            Source::Chat(_) => (0.0, None),
        }
    }

    pub(super) fn cancel_handle(&self) -> CancelHandle {
        match self {
            Source::Windows(receiver) => receiver.cancel_handle(),
            Source::Chat(answer) => answer.cancel_handle(),
        }
    }
}

impl Hearing {
    /// All of it.
    pub(crate) fn whole(self) -> PendingTranscription {
        PendingTranscription { hearing: self, heard: Vec::new() }
    }
}

/// A whole text on its way. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct PendingTranscription {
    hearing: Hearing,
    heard: Vec<Heard>,
}

impl PendingTranscription {
    pub(crate) fn wait(mut self) -> Result<TranscriptionReply> {
        block(|wait| self.advance(wait))
    }

    /// The reply, waiting for it as `wait` says.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<TranscriptionReply>> {
        loop {
            match self.hearing.source.advance(wait) {
                Poll::Ready(Ok(News::Piece(piece))) => self.heard.extend(piece.segments),
                Poll::Ready(Ok(News::End(end))) => {
                    return Poll::Ready(Ok(write(self.hearing.reply, std::mem::take(&mut self.heard), &end)));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The seconds that have been heard, and of how many, if the file says so.
    pub(crate) fn progress(&self) -> (f64, Option<f64>) {
        self.hearing.source.progress()
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.hearing.source.cancel_handle()
    }
}

/// Puts text together from pieces, without blanks at its ends.
#[derive(Debug, Default)]
pub(super) struct Text {
    whole: String,
    /// Blanks that belong between pieces.
    blanks: String,
}

impl Text {
    /// Adds a piece, and gives what the text has grown by.
    pub(super) fn push(&mut self, piece: &str) -> String {
        let piece = if self.whole.is_empty() { piece.trim_start() } else { piece };
        let kept = piece.trim_end();
        if kept.is_empty() {
            if !self.whole.is_empty() {
                self.blanks.push_str(piece);
            }
            return String::new();
        }
        let mut delta = std::mem::take(&mut self.blanks);
        delta.push_str(kept);
        self.blanks.push_str(&piece[kept.len()..]);
        self.whole.push_str(&delta);
        delta
    }

    pub(super) fn into_whole(self) -> String {
        self.whole
    }
}

/// What was heard and written, in tokens.
pub(super) fn token_usage(end: &End, written: usize) -> TranscriptionUsage {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a day has few tokens"
    )]
    let audio_tokens = (end.duration * TOKENS_OF_SECOND as f64).ceil() as u64;
    let (text_tokens, output_tokens) = (end.prompt_tokens as u64, written as u64);
    TranscriptionUsage::Tokens {
        input_tokens: audio_tokens + text_tokens,
        input_token_details: InputTokenDetails { audio_tokens, text_tokens },
        output_tokens,
        total_tokens: audio_tokens + text_tokens + output_tokens,
    }
}

fn write(reply: Reply, heard: Vec<Heard>, end: &End) -> TranscriptionReply {
    let mut text = Text::default();
    for segment in &heard {
        text.push(&segment.text);
    }
    let text = text.into_whole();
    let duration = || TranscriptionUsage::Duration { seconds: rounded(end.duration) };
    let usage = (!reply.translated).then(|| end.usage.clone().unwrap_or_else(duration));
    match reply.format {
        AudioResponseFormat::Json => {
            let logprobs = reply.logprobs.then(|| logprobs(heard));
            TranscriptionReply::Json(Transcription { text, logprobs, usage })
        }
        AudioResponseFormat::Text => TranscriptionReply::Text(text + "\n"),
        AudioResponseFormat::Srt => TranscriptionReply::Text(subtitles("", ',', &heard)),
        AudioResponseFormat::Vtt => TranscriptionReply::Text(subtitles("WEBVTT\n\n", '.', &heard)),
        AudioResponseFormat::VerboseJson => {
            let words = || heard.iter().flat_map(|segment| segment.words.clone()).collect::<Vec<TranscriptionWord>>();
            TranscriptionReply::Verbose(Box::new(TranscriptionVerbose {
                task: if reply.translated { "translate" } else { "transcribe" }.to_owned(),
                // That of the text (AU9).
                language: if reply.translated { "english" } else { end.language }.to_owned(),
                duration: rounded(end.duration),
                words: reply.words.then(words),
                segments: reply.segments.then(|| (0..).zip(&heard).map(segment).collect()),
                text,
                usage,
            }))
        }
    }
}

/// All tokens of what was heard.
pub(super) fn logprobs(heard: Vec<Heard>) -> Vec<TranscriptionLogprob> {
    heard.into_iter().flat_map(|segment| segment.logprobs).collect()
}

fn segment((id, heard): (u32, &Heard)) -> TranscriptionSegment {
    TranscriptionSegment {
        id,
        seek: heard.seek,
        start: rounded(heard.start),
        end: rounded(heard.end),
        text: heard.text.clone(),
        tokens: heard.tokens.iter().map(|token| token.cast_unsigned()).collect(),
        temperature: heard.temperature,
        avg_logprob: finite(heard.avg_logprob),
        compression_ratio: heard.compression_ratio,
        no_speech_prob: finite(heard.no_speech),
    }
}

/// T8
fn finite(number: f32) -> f32 {
    if number.is_finite() { number } else { -9999.0 }
}

/// AU6
fn subtitles(opening: &str, point: char, heard: &[Heard]) -> String {
    let mut text = opening.to_owned();
    for (number, segment) in heard.iter().enumerate() {
        if opening.is_empty() {
            let _ = writeln!(text, "{}", number + 1);
        }
        let (start, end) = (timestamp(rounded(segment.start), point), timestamp(rounded(segment.end), point));
        // An arrow and an empty line would end the entry.
        let said = segment.text.trim().replace("-->", "->");
        let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let _ = write!(text, "{start} --> {end}\n{}\n\n", said.join("\n"));
    }
    text
}

fn timestamp(seconds: f64, point: char) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a day has few milliseconds")]
    let milliseconds = (seconds.max(0.0) * 1000.0).round() as u64;
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    let (seconds, milliseconds) = (milliseconds / 1000 % 60, milliseconds % 1000);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}")
}

/// To a hundredth.
fn rounded(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}

impl Serialize for TranscriptionReply {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            TranscriptionReply::Json(reply) => reply.serialize(serializer),
            TranscriptionReply::Verbose(reply) => reply.serialize(serializer),
            TranscriptionReply::Text(text) => text.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(start: f64, end: f64, text: &str) -> Heard {
        Heard { start, end, text: text.to_owned(), ..Heard::default() }
    }

    fn written(format: AudioResponseFormat) -> TranscriptionReply {
        let reply = Reply { format, logprobs: false, words: false, segments: true, translated: false };
        let all = vec![heard(0.0, 1.5, " One,"), heard(1.5, 3723.0984, " two --> \n\n three. ")];
        write(reply, all, &End { duration: 3723.5, language: "english", prompt_tokens: 3, usage: None })
    }

    #[test]
    fn subtitles_have_their_forms() {
        // AU6
        let srt = "1\n00:00:00,000 --> 00:00:01,500\nOne,\n\n2\n00:00:01,500 --> 01:02:03,100\ntwo -> \n three.\n\n";
        assert_eq!(written(AudioResponseFormat::Srt), TranscriptionReply::Text(srt.to_owned()));
        let vtt =
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne,\n\n00:00:01.500 --> 01:02:03.100\ntwo -> \n three.\n\n";
        assert_eq!(written(AudioResponseFormat::Vtt), TranscriptionReply::Text(vtt.to_owned()));
    }

    #[test]
    fn pieces_join_to_the_text() {
        // AU7
        let mut text = Text::default();
        let deltas: Vec<String> = ["  ", " One", " ", "two ", "", " three.  "].map(|piece| text.push(piece)).into();
        assert_eq!(deltas, ["", "One", "", " two", "", "  three."]);
        assert_eq!(deltas.concat(), text.into_whole());
    }

    #[test]
    fn objects_have_what_was_asked_for() {
        // AU3, AU4
        let TranscriptionReply::Json(reply) = written(AudioResponseFormat::Json) else { panic!() };
        let json = serde_json::to_string(&reply).unwrap();
        assert_eq!(json, r#"{"text":"One, two --> \n\n three.","usage":{"type":"duration","seconds":3723.5}}"#);
        let TranscriptionReply::Verbose(reply) = written(AudioResponseFormat::VerboseJson) else { panic!() };
        let segments = reply.segments.unwrap();
        assert_eq!((segments[1].id, segments[1].start, segments[1].end), (1, 1.5, 3723.1));
        assert!(reply.words.is_none());
        assert_eq!((reply.language.as_str(), reply.duration), ("english", 3723.5));
    }
}
