//! Speech to text.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use zerohop::types::{
    AudioFile, AudioResponseFormat, ChunkingStrategy, CreateTranscriptionRequest, CreateTranslationRequest,
    TimestampGranularity, TranscriptionReply,
};

use crate::model::{LoadArguments, MODEL};

/// Reads WAV, FLAC, MP3, MP4, M4A, OGG, WEBM, AIFF and CAF.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A speech model: a file in whisper.cpp's format
    model: PathBuf,
    /// The audio
    file: PathBuf,
    /// What to write
    #[arg(long, short, value_enum, default_value = "text")]
    format: Format,
    /// Where to write it [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The language as a code such as en [default: found out]
    #[arg(long, value_name = "CODE", conflicts_with = "translate")]
    language: Option<String>,
    /// What might have been said before: it spells names and sets the style
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Times of words too, in the format json
    #[arg(long, conflicts_with = "translate")]
    words: bool,
    /// Leave out stretches without speech, and cut long audio in pauses
    #[arg(long, conflicts_with = "translate")]
    vad: bool,
    /// Write English, whatever is spoken
    #[arg(long)]
    translate: bool,
    #[command(flatten)]
    load: LoadArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The text alone
    Text,
    /// Subtitles
    Srt,
    /// Subtitles for the web
    Vtt,
    /// An object with text, segments and their times
    Json,
}

pub(crate) fn transcribe(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let content = fs::read(&arguments.file).with_context(|| arguments.file.display().to_string())?;
    let name = arguments.file.file_name().unwrap_or_default().to_string_lossy();
    let file = AudioFile::new(name, content);
    let engine = arguments.load.engine(&arguments.model)?;
    let format = match arguments.format {
        Format::Text => AudioResponseFormat::Text,
        Format::Srt => AudioResponseFormat::Srt,
        Format::Vtt => AudioResponseFormat::Vtt,
        Format::Json => AudioResponseFormat::VerboseJson,
    };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}").context("the bar's template")?;
    let bar = ProgressBar::no_length().with_style(style).with_message("listening");
    let reply = if arguments.translate {
        let mut request = CreateTranslationRequest::new(MODEL, file).response_format(format);
        request.prompt.clone_from(&arguments.prompt);
        engine.translations().create(&request)
    } else {
        let mut request = CreateTranscriptionRequest::new(MODEL, file).response_format(format);
        request.language.clone_from(&arguments.language);
        request.prompt.clone_from(&arguments.prompt);
        request.chunking_strategy = arguments.vad.then_some(ChunkingStrategy::Auto);
        if arguments.words {
            request = request.timestamp_granularities([TimestampGranularity::Word, TimestampGranularity::Segment]);
        }
        engine.transcriptions().create_with_progress(&request, |heard, length| {
            if let Some(length) = length {
                bar.set_length(milliseconds(length));
            }
            bar.set_position(milliseconds(heard));
            true
        })
    };
    bar.finish_and_clear();
    let reply = reply?;
    let text = match &reply {
        TranscriptionReply::Text(text) => text.clone(),
        reply => serde_json::to_string_pretty(reply)? + "\n",
    };
    match &arguments.output {
        Some(path) => fs::write(path, text).with_context(|| path.display().to_string())?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn milliseconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a day has few milliseconds")]
    let milliseconds = (seconds * 1000.0) as u64;
    milliseconds
}
