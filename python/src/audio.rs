//! Speech to text.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyMapping, PyString};

use crate::caller::Caller;
use crate::handle::Handle;
use crate::reply::Reading;
use crate::request::{self, Call};
use crate::{errors, method, types};

/// A method that posts its arguments as a form, with a file.
struct Upload {
    /// What exceptions call it.
    name: &'static str,
    path: &'static str,
    parameters: &'static [&'static str],
    plain: Reading,
    /// For `response_format="verbose_json"`.
    verbose: Reading,
}

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
    plain: Reading::ObjectOrStream(&types::TRANSCRIPTION, types::TRANSCRIPTION_STREAM_EVENT),
    verbose: Reading::ObjectOrStream(&types::TRANSCRIPTION_VERBOSE, types::TRANSCRIPTION_STREAM_EVENT),
};

static TRANSLATE: Upload = Upload {
    name: "Translations.create",
    path: "/v1/audio/translations",
    parameters: &["file", "model", "prompt", "response_format", "temperature"],
    plain: Reading::ObjectOrStream(&types::TRANSLATION, types::TRANSCRIPTION_STREAM_EVENT),
    verbose: Reading::ObjectOrStream(&types::TRANSLATION_VERBOSE, types::TRANSCRIPTION_STREAM_EVENT),
};

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

impl Upload {
    fn send<'py>(
        &self,
        py: Python<'py>,
        caller: &Caller,
        arguments: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (call, reading) = self.call(py, &caller.handle, arguments)?;
        caller.send(py, call, reading)
    }

    fn call(
        &self,
        py: Python<'_>,
        handle: &Handle,
        arguments: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<(Call, Reading)> {
        let none = PyDict::new(py);
        let arguments = arguments.unwrap_or(&none);
        request::check_arguments(self.name, arguments, self.parameters, &["file"])?;
        let mut fields = Vec::new();
        if !arguments.contains("model")? {
            fields.push(("model".to_owned(), method::only_model(self.name, handle, py)?));
        }
        for &name in &self.parameters[1..] {
            if let Some(value) = arguments.get_item(name)? {
                add_field(&mut fields, name, &value, DEPTH)?;
            }
        }
        if let Some(extra) = arguments.get_item("extra_body")?.filter(|extra| !extra.is_none()) {
            for item in extra.cast::<PyMapping>()?.items()?.iter() {
                let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
                // It goes before the method's own parameters.
                fields.retain(|(field, _)| field.split('[').next() != Some(&name));
                add_field(&mut fields, &name, &value, DEPTH)?;
            }
        }
        let is_verbose = fields.iter().any(|(name, value)| name == "response_format" && value == "verbose_json");
        let file = arguments.get_item("file")?.unwrap_or_else(|| py.None().into_bound(py));
        let call = Call::post_form(self.path, &fields, &file)?.with_options_of(arguments)?;
        Ok((call, if is_verbose { self.verbose.clone() } else { self.plain.clone() }))
    }
}

/// How deep a parameter's value may be nested.
pub(crate) const DEPTH: usize = 8;

/// The form's parts for a parameter, as openai's SDK has them.
pub(crate) fn add_field(
    fields: &mut Vec<(String, String)>,
    name: &str,
    value: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<()> {
    if value.is_none() {
        return Ok(());
    }
    let Some(depth) = depth.checked_sub(1) else {
        let message = format!("Invalid '{name}': it is nested too deeply, or contains itself");
        return Err(errors::bad_request(value.py(), name, &message));
    };
    if let Ok(truth) = value.cast::<PyBool>() {
        fields.push((name.to_owned(), truth.is_true().to_string()));
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        for item in mapping.items()?.iter() {
            let (key, value): (String, Bound<'_, PyAny>) = item.extract()?;
            add_field(fields, &format!("{name}[{key}]"), &value, depth)?;
        }
    } else if value.is_instance_of::<PyString>() || value.extract::<f64>().is_ok() {
        fields.push((name.to_owned(), value.str()?.to_str()?.to_owned()));
    } else {
        let items = value.try_iter().map_err(|_| {
            errors::bad_request(value.py(), name, &format!("Invalid '{name}': expected a text, a number or a list"))
        })?;
        for item in items {
            add_field(fields, &format!("{name}[]"), &item?, depth)?;
        }
    }
    Ok(())
}
