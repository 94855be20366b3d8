//! Replies to requests to write down speech (AU3 to AU7).

use serde::{Deserialize, Serialize};

/// The text of speech, in the format that was asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TranscriptionReply {
    /// For [`AudioResponseFormat::Json`](super::audio::AudioResponseFormat::Json).
    Json(Transcription),
    /// For [`AudioResponseFormat::VerboseJson`](super::audio::AudioResponseFormat::VerboseJson).
    Verbose(Box<TranscriptionVerbose>),
    /// For the formats that are texts: plain, SRT, VTT.
    Text(String),
}

impl TranscriptionReply {
    /// What was said; of subtitles, all their text.
    pub fn text(&self) -> &str {
        match self {
            TranscriptionReply::Json(reply) => &reply.text,
            TranscriptionReply::Verbose(reply) => &reply.text,
            TranscriptionReply::Text(text) => text,
        }
    }
}

/// What was said (AU3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transcription {
    /// What was said.
    pub text: String,
    /// How likely each token is; absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<TranscriptionLogprob>>,
    /// How much was heard; absent in translations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TranscriptionUsage>,
}

/// A token and how likely it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TranscriptionLogprob {
    /// The token's text; a part of a character is replaced.
    pub token: String,
    /// The token's bytes.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability.
    pub logprob: f32,
}

/// What was heard and written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TranscriptionUsage {
    /// Of a whole reply.
    Duration {
        /// How long the audio is.
        seconds: f64,
    },
    /// Of a streamed one.
    Tokens {
        /// What was heard: 50 for a second of audio, and the tokens of the prompt.
        input_tokens: u64,
        /// Which of them are which.
        input_token_details: InputTokenDetails,
        /// What was written.
        output_tokens: u64,
        /// The sum of both.
        total_tokens: u64,
    },
}

/// The tokens that were heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputTokenDetails {
    /// Of the audio.
    pub audio_tokens: u64,
    /// Of the prompt.
    pub text_tokens: u64,
}

/// What was said, with times (AU4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TranscriptionVerbose {
    /// `transcribe` or `translate`.
    pub task: String,
    /// The name of the language, such as `english`: that of the text.
    pub language: String,
    /// How long the audio is, in seconds.
    pub duration: f64,
    /// What was said.
    pub text: String,
    /// The words; absent unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<TranscriptionWord>>,
    /// The segments; absent if only words were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<TranscriptionSegment>>,
    /// How much was heard; absent in translations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TranscriptionUsage>,
}

/// A word and when it was said (AU5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TranscriptionWord {
    /// The word, with the punctuation that is written with it.
    pub word: String,
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
}

/// A sentence, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TranscriptionSegment {
    /// Its number, from 0.
    pub id: u32,
    /// Where the piece of audio begins that it was heard in, in hundredths of a second.
    pub seek: u64,
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
    /// What was said.
    pub text: String,
    /// Its tokens, those of times included.
    pub tokens: Vec<u32>,
    /// The temperature that it was sampled with.
    pub temperature: f32,
    /// The mean of the logarithms of its tokens' probabilities, over the piece of audio.
    pub avg_logprob: f32,
    /// How much shorter zlib makes the text of the piece: above 2.4 it repeats itself.
    pub compression_ratio: f32,
    /// How likely nobody speaks in the piece.
    pub no_speech_prob: f32,
}

/// A piece of a streamed reply (AU7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum TranscriptionStreamEvent {
    /// More text.
    #[serde(rename = "transcript.text.delta")]
    Delta {
        /// The text.
        delta: String,
        /// Its tokens; absent unless asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logprobs: Option<Vec<TranscriptionLogprob>>,
    },
    /// The end.
    #[serde(rename = "transcript.text.done")]
    Done {
        /// All the text.
        text: String,
        /// All the tokens; absent unless asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logprobs: Option<Vec<TranscriptionLogprob>>,
        /// How much was heard and written.
        usage: TranscriptionUsage,
    },
}

impl TranscriptionStreamEvent {
    /// The text of a piece; `None` at the end.
    pub fn delta(&self) -> Option<&str> {
        match self {
            TranscriptionStreamEvent::Delta { delta, .. } => Some(delta),
            TranscriptionStreamEvent::Done { .. } => None,
        }
    }
}
