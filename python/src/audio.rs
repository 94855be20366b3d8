//! Speech to text.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::Caller;
use crate::reply::Reading;
use crate::types;
use crate::upload::{Fields, Upload};

static TRANSCRIBE: Upload = Upload {
    name: "Transcriptions.create",
    path: "/v1/audio/transcriptions",
    parameters: &[
        "file",
        "model",
        "chunking_strategy",
        "include",
        "keywords",
        "known_speaker_names",
        "known_speaker_references",
        "language",
        "languages",
        "prompt",
        "response_format",
        "stream",
        "temperature",
        "timestamp_granularities",
    ],
    required: &["file"],
    files: &["file"],
    reading: |fields| {
        let object = if is_verbose(fields) { &types::TRANSCRIPTION_VERBOSE } else { &types::TRANSCRIPTION };
        Reading::ObjectOrStream(object, types::TRANSCRIPTION_STREAM_EVENT)
    },
};

static TRANSLATE: Upload = Upload {
    name: "Translations.create",
    path: "/v1/audio/translations",
    parameters: &["file", "model", "prompt", "response_format", "temperature"],
    required: &["file"],
    files: &["file"],
    reading: |fields| {
        let object = if is_verbose(fields) { &types::TRANSLATION_VERBOSE } else { &types::TRANSLATION };
        Reading::ObjectOrStream(object, types::TRANSCRIPTION_STREAM_EVENT)
    },
};

fn is_verbose(fields: &Fields) -> bool {
    fields.iter().any(|(name, value)| name == "response_format" && value == "verbose_json")
}

/// The audio endpoints of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Audio(pub(crate) Caller);

#[pymethods]
impl Audio {
    /// Speech to text in its own language: `create(...)`.
    #[getter]
    fn transcriptions(&self) -> Transcriptions {
        Transcriptions(self.0.clone())
    }

    /// Speech to English text: `create(...)`.
    #[getter]
    fn translations(&self) -> Translations {
        Translations(self.0.clone())
    }

    fn __repr__(&self) -> String {
        format!("<audio of {}>", self.0)
    }
}

/// The transcriptions of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Transcriptions(Caller);

#[pymethods]
impl Transcriptions {
    /// Writes down what is said in a file.
    ///
    /// `file` is what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one of
    /// these. It is WAV, FLAC, MP3, MP4, M4A, OGG, WEBM, AIFF or CAF. The other parameters are the API's.
    /// `model` may be left out if the engine has one model. Gives a `Transcription`; a
    /// `TranscriptionVerbose` for `response_format="verbose_json"`; the text for `"text"`, `"srt"` and
    /// `"vtt"`; or a `Stream` of events if `stream` is true. `timeout` is the number of seconds that the
    /// answer, or each event, may take; none by default.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, file, model=..., chunking_strategy=..., \
        include=..., keywords=..., known_speaker_names=..., known_speaker_references=..., language=..., languages=..., \
        prompt=..., response_format=..., stream=..., temperature=..., timestamp_granularities=..., \
        extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn create<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        TRANSCRIBE.send(py, &self.0, arguments)
    }

    fn __repr__(&self) -> String {
        format!("<audio.transcriptions of {}>", self.0)
    }
}

/// The translations of an engine.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Translations(Caller);

#[pymethods]
impl Translations {
    /// Writes down in English what is said in a file, whatever its language; the model has to know several.
    ///
    /// As `transcriptions.create`, with fewer parameters: gives a `Translation`, a `TranslationVerbose` or
    /// the text.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, file, model=..., prompt=..., \
        response_format=..., temperature=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn create<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        TRANSLATE.send(py, &self.0, arguments)
    }

    fn __repr__(&self) -> String {
        format!("<audio.translations of {}>", self.0)
    }
}
