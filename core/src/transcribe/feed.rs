//! What travels from the thread that hears to a caller: segments as they are heard, then the end.

use super::words::Heard;
use crate::api::audio_reply::TranscriptionUsage;
use crate::jobs;

/// How far a request has come, in seconds, and how far it goes, if that is known.
pub(super) type Progress = (f64, Option<f64>);
/// The caller's end. Dropping it cancels the request.
pub(super) type Receiver = jobs::Receiver<News, Progress>;

/// What came of a window.
#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    pub(super) segments: Vec<Heard>,
}

/// What is known at the end.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// How long the audio is, in seconds.
    pub(super) duration: f64,
    /// The name of the text's language.
    pub(super) language: &'static str,
    /// Tokens that were given before a window.
    pub(super) prompt_tokens: usize,
    /// What a chat model has counted.
    pub(super) usage: Option<TranscriptionUsage>,
}

/// What a caller is told.
#[derive(Debug)]
pub(super) enum News {
    Piece(Piece),
    End(End),
}
