//! Speech to text, from the caller's memory or a file.

use std::ffi::c_void;
use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr;

use zerohop::types::{
    AudioFile, AudioResponseFormat, CreateTranscriptionRequest, CreateTranslationRequest, TimestampGranularity,
};
use zerohop::{Engine, Pending};

use crate::cancel::zerohop_cancel_token;
use crate::engine::zerohop_engine;
use crate::error::{Failure, zerohop_error, zerohop_status};
use crate::growing::{self, Growing};
use crate::guard::guard;
use crate::handle;
use crate::request;
use crate::response::zerohop_response;
use crate::text::{Out, array, required, zerohop_str};

/// What the text of speech comes in.
pub type zerohop_audio_format = i32;

/// A JSON object with `text` and `usage` (the default).
pub const ZEROHOP_AUDIO_FORMAT_JSON: zerohop_audio_format = 0;
/// The text alone.
pub const ZEROHOP_AUDIO_FORMAT_TEXT: zerohop_audio_format = 1;
/// Subtitles in the form SRT.
pub const ZEROHOP_AUDIO_FORMAT_SRT: zerohop_audio_format = 2;
/// Subtitles in the form VTT.
pub const ZEROHOP_AUDIO_FORMAT_VTT: zerohop_audio_format = 3;
/// A JSON object with language, duration, segments and words too.
pub const ZEROHOP_AUDIO_FORMAT_VERBOSE_JSON: zerohop_audio_format = 4;

/// Speech to write down. Fill it with `zerohop_transcription_request_init`, then set
/// `model`, and either `path` or `audio` and `audio_size`.
///
/// Only read, and only during the call it is passed to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_transcription_request {
    /// The size of this struct as the caller knows it; set by the init function.
    pub struct_size: usize,
    /// The name of a speech model. Required.
    pub model: zerohop_str,
    /// A file to read, as UTF-8: WAV, FLAC, MP3, MP4, M4A, OGG, WEBM, AIFF or CAF.
    pub path: zerohop_str,
    /// The same file in memory, in place of `path`.
    pub audio: *const c_void,
    /// The number of bytes of `audio`.
    pub audio_size: usize,
    /// The language as a code of ISO 639-1, such as "en". Default: found out.
    pub language: zerohop_str,
    /// What might have been said before: it spells names and sets the style.
    pub prompt: zerohop_str,
    /// What the text comes in.
    pub format: zerohop_audio_format,
    /// From 0 to 1. 0: as certain as possible, warmer where that goes wrong.
    pub temperature: f32,
    /// Whether the verbose format has times of words; then its segments are left out
    /// unless `segments` is true.
    pub words: MaybeUninit<bool>,
    /// Whether the verbose format has segments, where it has words.
    pub segments: MaybeUninit<bool>,
    /// Whether the text is to be English, whatever is spoken. The model has to know
    /// several languages; `language`, `words`, `segments` and `stream` have to be as the
    /// init function sets them.
    pub translate: MaybeUninit<bool>,
    /// Whether the response is a stream: see `zerohop_response_next`. With the format
    /// JSON or TEXT only.
    pub stream: MaybeUninit<bool>,
    /// Cancels this request from another thread; NULL for nothing. May be freed
    /// before the request has ended.
    pub cancel: *const zerohop_cancel_token,
}

// SAFETY: `repr(C)`, size first; integers, pointers and `MaybeUninit`s.
unsafe impl Growing for zerohop_transcription_request {
    const DEFAULT: Self = zerohop_transcription_request {
        struct_size: size_of::<Self>(),
        model: zerohop_str::NONE,
        path: zerohop_str::NONE,
        audio: ptr::null(),
        audio_size: 0,
        language: zerohop_str::NONE,
        prompt: zerohop_str::NONE,
        format: ZEROHOP_AUDIO_FORMAT_JSON,
        temperature: 0.0,
        words: MaybeUninit::new(false),
        segments: MaybeUninit::new(false),
        translate: MaybeUninit::new(false),
        stream: MaybeUninit::new(false),
        cancel: ptr::null(),
    };
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Fills a request with its defaults. `struct_size` is
/// `sizeof(zerohop_transcription_request)`. Does nothing for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_transcription_request_init(
    request: *mut zerohop_transcription_request,
    struct_size: usize,
) {
    // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
    unsafe { growing::init(request, struct_size) };
}

/// Writes down speech. Blocks until all of it was heard or, with `stream`, until the
/// stream has begun.
///
/// `*out` receives a response as `zerohop_send` gives it for
/// `/v1/audio/transcriptions` or `/v1/audio/translations`, which
/// `zerohop_response_free` frees: its body is in the format asked for, or with a status
/// of 400 or more an error as JSON.
///
/// Any thread, also while others use the engine: callers take turns, 30 seconds of
/// audio each.
///
/// Returns `ZEROHOP_CANCELLED` if the request's token was used. Fails with
/// `ZEROHOP_INVALID_ARGUMENT` (a NULL, both or none of `path` and `audio`, a file that
/// cannot be read, an unknown format), `ZEROHOP_INVALID_REQUEST` (what the API does not
/// allow, such as a `temperature` above 1) or `ZEROHOP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_transcribe(
    engine: *const zerohop_engine,
    request: *const zerohop_transcription_request,
    out: *mut *mut zerohop_response,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the
    // call, and places that are writable in it.
    let (engine, out, out_err) = unsafe { (handle::borrow(engine), Out::new(out), Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        let out = required(out, "out")?;
        // SAFETY: the C caller passes NULL or a request as the header describes it,
        // which stays as it is during the call; so does the token in it.
        let (speech, token) = unsafe {
            let request = growing::read(request, "request")?;
            (request.to_speech()?, handle::share(request.cancel))
        };
        request::answer(out, token.as_ref(), || speech.send(engine.core()))
    })
}

/// One of the two requests that there are.
#[derive(Debug, PartialEq)]
enum Speech {
    Transcription(CreateTranscriptionRequest),
    Translation(CreateTranslationRequest),
}

impl Speech {
    fn send(&self, engine: &Engine) -> zerohop::Result<Pending> {
        match self {
            Speech::Transcription(request) => engine.transcriptions().send(request),
            Speech::Translation(request) => engine.translations().send(request),
        }
    }
}

impl zerohop_transcription_request {
    /// # Safety
    ///
    /// What the struct points to is as the header says, and stays so during the call.
    unsafe fn to_speech(self) -> Result<Speech, Failure> {
        // SAFETY: the caller's promise.
        let (model, path, audio, language, prompt) = unsafe {
            (
                self.model.text("model")?,
                self.path.text("path")?,
                array(self.audio.cast::<u8>(), self.audio_size, "audio")?,
                self.language.text("language")?,
                self.prompt.text("prompt")?,
            )
        };
        let file = match (path.is_empty(), self.audio.is_null()) {
            (true, false) => AudioFile::new("audio", audio),
            (false, true) => read(path)?,
            _ => return Err(Failure::argument("audio", "or 'path' must be given, and not both")),
        };
        let format = match self.format {
            ZEROHOP_AUDIO_FORMAT_JSON => AudioResponseFormat::Json,
            ZEROHOP_AUDIO_FORMAT_TEXT => AudioResponseFormat::Text,
            ZEROHOP_AUDIO_FORMAT_SRT => AudioResponseFormat::Srt,
            ZEROHOP_AUDIO_FORMAT_VTT => AudioResponseFormat::Vtt,
            ZEROHOP_AUDIO_FORMAT_VERBOSE_JSON => AudioResponseFormat::VerboseJson,
            _ => return Err(Failure::argument("format", "is no zerohop_audio_format")),
        };
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let [words, segments, translate, stream] =
            [&self.words, &self.segments, &self.translate, &self.stream].map(growing::is_set);
        if translate {
            if !language.is_empty() || words || segments || stream {
                return Err(Failure::argument("translate", "goes with no language, words, segments or stream"));
            }
            let mut request = CreateTranslationRequest::new(model, file).response_format(format);
            request.prompt = given(prompt);
            return Ok(Speech::Translation(request.temperature(self.temperature)));
        }
        let mut request = CreateTranscriptionRequest::new(model, file).response_format(format);
        (request.language, request.prompt) = (given(language), given(prompt));
        request.stream = Some(stream);
        let wanted = [(words, TimestampGranularity::Word), (segments, TimestampGranularity::Segment)];
        let wanted = wanted.into_iter().filter_map(|(is_wanted, which)| is_wanted.then_some(which));
        Ok(Speech::Transcription(request.timestamp_granularities(wanted).temperature(self.temperature)))
    }
}

fn read(path: &str) -> Result<AudioFile, Failure> {
    let unreadable = |error| Failure::argument("path", &format!("'{path}' cannot be read: {error}"));
    // A device or a pipe may never come to its end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Failure::argument("path", &format!("'{path}' is no file")));
    }
    let content = fs::read(path).map_err(unreadable)?;
    let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(AudioFile::new(name.unwrap_or_default(), content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_speech(change: impl FnOnce(&mut zerohop_transcription_request)) -> Result<Speech, Failure> {
        const AUDIO: &[u8] = b"RIFF";
        let mut request = zerohop_transcription_request {
            model: zerohop_str::literal("m"),
            audio: AUDIO.as_ptr().cast(),
            audio_size: AUDIO.len(),
            ..zerohop_transcription_request::DEFAULT
        };
        change(&mut request);
        // SAFETY: the tests use literals only.
        unsafe { request.to_speech() }
    }

    fn fault(change: impl FnOnce(&mut zerohop_transcription_request)) -> String {
        to_speech(change).unwrap_err().param.unwrap().into_string().unwrap()
    }

    #[test]
    fn fields_pass_through() {
        let file = AudioFile::new("audio", b"RIFF".as_slice());
        let plain = || {
            let mut request = CreateTranscriptionRequest::new("m", file.clone());
            request.stream = Some(false);
            request.temperature(0.0).response_format(AudioResponseFormat::Json)
        };
        assert_eq!(to_speech(|_| ()).unwrap(), Speech::Transcription(plain()));
        let speech = to_speech(|request| {
            request.format = ZEROHOP_AUDIO_FORMAT_VERBOSE_JSON;
            request.language = zerohop_str::literal("en");
            request.prompt = zerohop_str::literal("p");
            request.words = MaybeUninit::new(true);
        });
        let expected = plain()
            .response_format(AudioResponseFormat::VerboseJson)
            .language("en")
            .prompt("p")
            .timestamp_granularities([TimestampGranularity::Word]);
        assert_eq!(speech.unwrap(), Speech::Transcription(expected));
        let expected = CreateTranslationRequest::new("m", file.clone());
        let expected = expected.response_format(AudioResponseFormat::Json).temperature(0.0);
        assert_eq!(
            to_speech(|request| request.translate = MaybeUninit::new(true)).unwrap(),
            Speech::Translation(expected)
        );
    }

    #[test]
    fn bad_fields_are_named() {
        assert_eq!(fault(|request| request.model = zerohop_str { data: c"\xff".as_ptr(), len: 1 }), "model");
        assert_eq!(fault(|request| request.format = 9), "format");
        assert_eq!(fault(|request| request.audio = ptr::null()), "audio");
        assert_eq!(fault(|request| (request.audio, request.audio_size) = (ptr::null(), 0)), "audio");
        assert_eq!(fault(|request| request.path = zerohop_str::literal("a.wav")), "audio");
        assert_eq!(
            fault(|request| (request.translate, request.stream) = (MaybeUninit::new(true), MaybeUninit::new(true))),
            "translate"
        );
        let no_file = |request: &mut zerohop_transcription_request| {
            (request.audio, request.audio_size) = (ptr::null(), 0);
            request.path = zerohop_str::literal("/no/such.wav");
        };
        assert_eq!(fault(no_file), "path");
    }
}
