//! Speech that a chat model writes down, one that hears through a projector: a conversation about the sound.

use std::task::Poll;

use super::feed::{End, News, Piece};
use super::reply::{Hearing, Reply, Source};
use super::words::Heard;
use crate::api::audio::{AudioResponseFormat, ChunkingStrategy, CreateTranscriptionRequest, CreateTranslationRequest};
use crate::api::audio_reply::{InputTokenDetails, TranscriptionLogprob, TranscriptionUsage};
use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_chunk::ChatCompletionChunk;
use crate::api::content::{ContentPart, InputAudioFormat, MAX_MEDIA_FILE};
use crate::api::error::{Error, Result};
use crate::api::message::ChatCompletionMessage;
use crate::cancel::CancelHandle;
use crate::chat::{self, ChatCompletionStream, ReplyHead};
use crate::generate::Generator;
use crate::model::LoadedModel;
use crate::wait::Wait;

/// What Qwen3-ASR writes before the text, behind the language's name.
const TEXT_MARK: &str = "<asr_text>";
/// Bytes in which the mark is looked for.
const MARK_WITHIN: usize = 64;

/// A model that hears, and its scheduler.
#[derive(Clone, Copy)]
pub(crate) struct Listener<'a> {
    pub(crate) model: &'a LoadedModel,
    pub(crate) generator: &'a Generator,
    pub(crate) fingerprint: &'a str,
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answer {
    chunks: ChatCompletionStream,
    /// The beginning of the answer, while it may be a mark.
    held: Option<Held>,
    end: End,
}

#[derive(Debug, Default)]
struct Held {
    text: String,
    logprobs: Vec<TranscriptionLogprob>,
}

impl Listener<'_> {
    /// Starts a validated request.
    ///
    /// # Errors
    ///
    /// A 400 for what such a model cannot tell, and as for a chat.
    pub(crate) fn hear(self, request: &CreateTranscriptionRequest) -> Result<Hearing> {
        let language = request.language.as_ref().map(|language| format!(" Its language is {language}."));
        let task = "Write down word for word what is said in the audio, and nothing else.";
        let task = task.to_owned() + language.as_deref().unwrap_or_default();
        if let Some(ChunkingStrategy::ServerVad { .. }) = request.chunking_strategy {
            return Err(self.unfit("chunking_strategy", "looks for no pauses: leave it out, or give 'auto'"));
        }
        let mut chat =
            self.conversation(task, request.prompt.as_deref(), request.temperature, &request.file.content)?;
        let reply = Reply::of_transcription(request);
        chat.logprobs = reply.logprobs.then_some(true);
        self.start(&chat, reply, request.response_format)
    }

    /// The same for one that is to be put into English.
    pub(crate) fn translate(self, request: &CreateTranslationRequest) -> Result<Hearing> {
        let task = "Write down in English what is said in the audio, and nothing else.".to_owned();
        let chat = self.conversation(task, request.prompt.as_deref(), request.temperature, &request.file.content)?;
        self.start(&chat, Reply::of_translation(request), request.response_format)
    }

    fn conversation(
        self,
        task: String,
        prompt: Option<&str>,
        temperature: Option<f32>,
        sound: &[u8],
    ) -> Result<CreateChatCompletionRequest> {
        if sound.len() > MAX_MEDIA_FILE {
            let message = format!("the file has {} bytes; such models read at most {MAX_MEDIA_FILE}", sound.len());
            return Err(Error::invalid("file", message).with_code("file_too_large"));
        }
        let instructions = prompt.map(ChatCompletionMessage::system);
        // What it really is, its bytes say.
        let sound = ContentPart::audio_bytes(sound, InputAudioFormat::Wav);
        let question = ChatCompletionMessage::user(vec![ContentPart::text(task), sound]);
        let messages: Vec<_> = instructions.into_iter().chain([question]).collect();
        let chat = CreateChatCompletionRequest::new(self.model.info.id.as_str(), messages);
        Ok(chat.temperature(temperature.unwrap_or_default()))
    }

    fn start(
        self,
        chat: &CreateChatCompletionRequest,
        reply: Reply,
        format: Option<AudioResponseFormat>,
    ) -> Result<Hearing> {
        if !matches!(format.unwrap_or_default(), AudioResponseFormat::Json | AudioResponseFormat::Text) {
            return Err(self.unfit("response_format", "tells no times: give 'json' or 'text', or use a Whisper model"));
        }
        let submission = chat::submit(self.model, self.generator, chat);
        // The caller has sent a file, and no messages.
        let submission = submission.map_err(|error| match error.param() {
            Some(param) if param.starts_with("messages") => error.with_param("file"),
            _ => error,
        })?;
        let chunks = ChatCompletionStream::new(ReplyHead::new(chat, self.fingerprint), submission, true, None);
        let end = End { duration: 0.0, language: "english", prompt_tokens: 0, usage: None };
        Ok(Hearing { source: Source::Chat(Answer { chunks, held: Some(Held::default()), end }), reply })
    }

    fn unfit(self, param: &'static str, what: &str) -> Error {
        Error::unsupported_value(param, format!("the model '{}' hears as a chat model and {what}", self.model.info.id))
    }
}

impl Answer {
    /// The next news, waiting for it as `wait` says.
    pub(super) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<News>> {
        loop {
            match self.chunks.advance(wait) {
                Poll::Ready(Some(Ok(chunk))) => {
                    if let Some(piece) = self.read(chunk) {
                        return Poll::Ready(Ok(News::Piece(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => {
                    // Too short to tell: it was no mark.
                    return Poll::Ready(Ok(match self.held.take().filter(|held| !held.text.is_empty()) {
                        Some(held) => News::Piece(held.into_piece()),
                        None => News::End(self.end.clone()),
                    }));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    pub(super) fn cancel_handle(&self) -> CancelHandle {
        self.chunks.cancel_handle()
    }

    fn read(&mut self, chunk: ChatCompletionChunk) -> Option<Piece> {
        if let Some(usage) = chunk.usage() {
            let audio_tokens = u64::from(usage.prompt_tokens_details.audio_tokens);
            let text_tokens = u64::from(usage.prompt_tokens).saturating_sub(audio_tokens);
            self.end.usage = Some(TranscriptionUsage::Tokens {
                input_tokens: usage.prompt_tokens.into(),
                input_token_details: InputTokenDetails { audio_tokens, text_tokens },
                output_tokens: usage.completion_tokens.into(),
                total_tokens: usage.total_tokens.into(),
            });
        }
        let choice = chunk.choices.into_iter().next()?;
        let tokens = choice.logprobs.and_then(|logprobs| logprobs.content).unwrap_or_default();
        let logprobs = tokens.into_iter().map(|entry| TranscriptionLogprob {
            token: entry.token,
            bytes: entry.bytes.unwrap_or_default(),
            logprob: entry.logprob,
        });
        let news = Held { text: choice.delta.content.unwrap_or_default(), logprobs: logprobs.collect() };
        if news.text.is_empty() && news.logprobs.is_empty() {
            return None;
        }
        let Some(held) = &mut self.held else { return Some(news.into_piece()) };
        held.text.push_str(&news.text);
        held.logprobs.extend(news.logprobs);
        if held.may_be_mark() {
            return None;
        }
        self.held.take().map(Held::into_piece)
    }
}

impl Held {
    /// Whether more has to be known to tell whether this begins with a language and a mark.
    fn may_be_mark(&self) -> bool {
        let opening = "language ";
        let begins = self.text.starts_with(opening) || opening.starts_with(self.text.as_str());
        begins && self.text.len() < MARK_WITHIN && !self.text.contains(TEXT_MARK)
    }

    /// What is behind the mark, if there is one.
    fn into_piece(self) -> Piece {
        let text = match self.text.split_once(TEXT_MARK) {
            Some((opening, text)) if opening.starts_with("language ") => text.to_owned(),
            _ => self.text,
        };
        Piece { segments: vec![Heard { text, logprobs: self.logprobs, ..Heard::default() }] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of an answer in pieces of so many bytes.
    fn text(answer: &str, size: usize) -> String {
        let mut held = Some(Held::default());
        let mut text = String::new();
        for piece in answer.as_bytes().chunks(size).map(|piece| str::from_utf8(piece).unwrap()) {
            match &mut held {
                None => text.push_str(piece),
                Some(begun) => {
                    begun.text.push_str(piece);
                    if !begun.may_be_mark() {
                        text.push_str(&held.take().unwrap().into_piece().segments[0].text);
                    }
                }
            }
        }
        text + &held.map_or_else(String::new, |held| held.into_piece().segments[0].text.clone())
    }

    #[test]
    fn a_language_and_a_mark_are_no_text() {
        for size in [1, 3, 100] {
            assert_eq!(text("language English<asr_text>Good morning.", size), "Good morning.");
            assert_eq!(text("language None<asr_text>", size), "");
            assert_eq!(text("language", size), "language");
            assert_eq!(text("Good <asr_text> morning.", size), "Good <asr_text> morning.");
            let long = format!("language {} and so on<asr_text>", "is what people speak ".repeat(4));
            assert_eq!(text(&long, size), long, "too far in to be a mark");
        }
    }
}
