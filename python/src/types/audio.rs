//! The classes of speech to text, field by field; as in `classes`.

use pyo3::prelude::*;

use super::base::BaseModel;
use super::classes::classes;
use super::schema::{OPTIONAL, REQUIRED, Schema, Shape, kind};
use crate::json::Fields;

/// The events of a stream by their `type`.
pub(crate) static TRANSCRIPTION_STREAM_EVENT: Shape = Shape::OneOf(stream_event);

fn stream_event(event: &Fields) -> Option<&'static Schema> {
    Some(match kind(event)? {
        "transcript.text.delta" => &TRANSCRIPTION_TEXT_DELTA_EVENT,
        "transcript.text.done" => &TRANSCRIPTION_TEXT_DONE_EVENT,
        _ => return None,
    })
}

/// What was used, by its `type`.
fn usage(usage: &Fields) -> Option<&'static Schema> {
    Some(match kind(usage)? {
        "duration" => &USAGE_DURATION,
        "tokens" => &USAGE_TOKENS,
        _ => return None,
    })
}

classes! {
    /// What was said.
    Transcription, TRANSCRIPTION, "Transcription", "zerohop.types.audio.transcription" {
        text: REQUIRED,
        languages: OPTIONAL,
        logprobs: OPTIONAL.list(&TRANSCRIPTION_LOGPROB),
        usage: OPTIONAL.one_of(usage),
    }

    /// A token and how likely it is.
    TranscriptionLogprob, TRANSCRIPTION_LOGPROB, "Logprob", "zerohop.types.audio.transcription" {
        token: OPTIONAL,
        bytes: OPTIONAL,
        logprob: OPTIONAL,
    }

    /// How many tokens were heard and written.
    UsageTokens, USAGE_TOKENS, "UsageTokens", "zerohop.types.audio.transcription" {
        input_tokens: REQUIRED,
        output_tokens: REQUIRED,
        total_tokens: REQUIRED,
        r#type: REQUIRED,
        input_token_details: OPTIONAL.object(&USAGE_TOKENS_INPUT_TOKEN_DETAILS),
    }

    /// Which tokens were heard.
    UsageTokensInputTokenDetails, USAGE_TOKENS_INPUT_TOKEN_DETAILS, "UsageTokensInputTokenDetails",
    "zerohop.types.audio.transcription" {
        audio_tokens: OPTIONAL,
        text_tokens: OPTIONAL,
    }

    /// How long the audio is.
    UsageDuration, USAGE_DURATION, "UsageDuration", "zerohop.types.audio.transcription" {
        seconds: REQUIRED,
        r#type: REQUIRED,
    }

    /// What was said, with times.
    TranscriptionVerbose, TRANSCRIPTION_VERBOSE, "TranscriptionVerbose", "zerohop.types.audio.transcription_verbose" {
        duration: REQUIRED,
        language: REQUIRED,
        text: REQUIRED,
        segments: OPTIONAL.list(&TRANSCRIPTION_SEGMENT),
        usage: OPTIONAL.object(&TRANSCRIPTION_VERBOSE_USAGE),
        words: OPTIONAL.list(&TRANSCRIPTION_WORD),
    }

    /// How long the audio is.
    TranscriptionVerboseUsage, TRANSCRIPTION_VERBOSE_USAGE, "Usage", "zerohop.types.audio.transcription_verbose" {
        seconds: REQUIRED,
        r#type: REQUIRED,
    }

    /// A sentence, or a part of one.
    TranscriptionSegment, TRANSCRIPTION_SEGMENT, "TranscriptionSegment", "zerohop.types.audio.transcription_segment" {
        id: REQUIRED,
        avg_logprob: REQUIRED,
        compression_ratio: REQUIRED,
        end: REQUIRED,
        no_speech_prob: REQUIRED,
        seek: REQUIRED,
        start: REQUIRED,
        temperature: REQUIRED,
        text: REQUIRED,
        tokens: REQUIRED,
    }

    /// A word and when it was said, in seconds.
    TranscriptionWord, TRANSCRIPTION_WORD, "TranscriptionWord", "zerohop.types.audio.transcription_word" {
        end: REQUIRED,
        start: REQUIRED,
        word: REQUIRED,
    }

    /// What was said, in English.
    Translation, TRANSLATION, "Translation", "zerohop.types.audio.translation" {
        text: REQUIRED,
    }

    /// What was said, in English and with times.
    TranslationVerbose, TRANSLATION_VERBOSE, "TranslationVerbose", "zerohop.types.audio.translation_verbose" {
        duration: REQUIRED,
        language: REQUIRED,
        text: REQUIRED,
        segments: OPTIONAL.list(&TRANSCRIPTION_SEGMENT),
    }

    /// More text.
    TranscriptionTextDeltaEvent, TRANSCRIPTION_TEXT_DELTA_EVENT, "TranscriptionTextDeltaEvent",
    "zerohop.types.audio.transcription_text_delta_event" {
        delta: REQUIRED,
        r#type: REQUIRED,
        logprobs: OPTIONAL.list(&TRANSCRIPTION_TEXT_DELTA_LOGPROB),
        segment_id: OPTIONAL,
    }

    /// A token of an event and how likely it is.
    TranscriptionTextDeltaLogprob, TRANSCRIPTION_TEXT_DELTA_LOGPROB, "Logprob",
    "zerohop.types.audio.transcription_text_delta_event" {
        token: OPTIONAL,
        bytes: OPTIONAL,
        logprob: OPTIONAL,
    }

    /// The end, with all the text.
    TranscriptionTextDoneEvent, TRANSCRIPTION_TEXT_DONE_EVENT, "TranscriptionTextDoneEvent",
    "zerohop.types.audio.transcription_text_done_event" {
        text: REQUIRED,
        r#type: REQUIRED,
        languages: OPTIONAL,
        logprobs: OPTIONAL.list(&TRANSCRIPTION_TEXT_DONE_LOGPROB),
        usage: OPTIONAL.object(&TRANSCRIPTION_TEXT_DONE_USAGE),
    }

    /// A token and how likely it is.
    TranscriptionTextDoneLogprob, TRANSCRIPTION_TEXT_DONE_LOGPROB, "Logprob",
    "zerohop.types.audio.transcription_text_done_event" {
        token: OPTIONAL,
        bytes: OPTIONAL,
        logprob: OPTIONAL,
    }

    /// How many tokens were heard and written.
    TranscriptionTextDoneUsage, TRANSCRIPTION_TEXT_DONE_USAGE, "Usage",
    "zerohop.types.audio.transcription_text_done_event" {
        input_tokens: REQUIRED,
        output_tokens: REQUIRED,
        total_tokens: REQUIRED,
        r#type: REQUIRED,
        input_token_details: OPTIONAL.object(&TRANSCRIPTION_TEXT_DONE_USAGE_DETAILS),
    }

    /// Which tokens were heard.
    TranscriptionTextDoneUsageDetails, TRANSCRIPTION_TEXT_DONE_USAGE_DETAILS, "UsageInputTokenDetails",
    "zerohop.types.audio.transcription_text_done_event" {
        audio_tokens: OPTIONAL,
        text_tokens: OPTIONAL,
    }
}
