//! Requests to write down speech as multipart forms, which is how clients send them (AU1).

use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::audio::{
    AudioFile, AudioResponseFormat, ChunkingStrategy, CreateTranscriptionRequest, CreateTranslationRequest, MAX_FILE,
};
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::shorten;
use crate::multipart::{Form, FormWriter};

/// The longest body: a file and the form around it.
const MAX_BODY: usize = MAX_FILE + (4 << 20);
/// Parameters that this engine does not serve.
const UNSERVED: [&str; 6] = [
    "known_speaker_names",
    "known_speaker_names[]",
    "known_speaker_references",
    "known_speaker_references[]",
    "keywords[]",
    "languages[]",
];

/// The name of the model that a form asks for, if it has one.
pub(crate) fn read_model(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    Form::read(headers, body).ok()?.text("model").ok()?.map(str::to_owned)
}

/// A request's form.
pub(crate) struct SpeechForm<'a>(Form<'a>);

impl<'a> SpeechForm<'a> {
    /// # Errors
    ///
    /// `InvalidRequest` for a body that is no form, or too long.
    pub(crate) fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self> {
        if body.len() > MAX_BODY {
            let message = format!("The request body has {} bytes; at most {MAX_BODY} are read", body.len());
            return Err(Error::new(ErrorKind::InvalidRequest, message).with_code("request_too_large"));
        }
        Form::read(headers, body).map(SpeechForm)
    }

    /// The request that a form for `/v1/audio/transcriptions` makes.
    pub(crate) fn transcription(mut self) -> Result<CreateTranscriptionRequest> {
        let request = CreateTranscriptionRequest {
            file: self.file()?,
            model: self.model()?,
            language: self.text("language")?,
            prompt: self.text("prompt")?,
            response_format: self.format()?,
            temperature: self.temperature()?,
            timestamp_granularities: self.words("timestamp_granularities", "timestamp_granularities[]")?,
            include: self.words("include", "include[]")?,
            chunking_strategy: self.strategy()?,
            stream: self.boolean("stream")?,
        };
        self.finish()?;
        request.validate(request.stream == Some(true))?;
        Ok(request)
    }

    /// The request that a form for `/v1/audio/translations` makes.
    pub(crate) fn translation(mut self) -> Result<CreateTranslationRequest> {
        let request = CreateTranslationRequest {
            file: self.file()?,
            model: self.model()?,
            prompt: self.text("prompt")?,
            response_format: self.format()?,
            temperature: self.temperature()?,
        };
        self.finish()?;
        request.validate()?;
        Ok(request)
    }

    fn file(&mut self) -> Result<AudioFile> {
        let file = self.0.file("file")?.ok_or_else(|| missing("file"))?;
        Ok(AudioFile::new(file.name, file.content))
    }

    fn model(&mut self) -> Result<String> {
        self.text("model")?.ok_or_else(|| missing("model"))
    }

    /// An empty text is as good as none, as with null in JSON.
    fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        Ok(self.0.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    fn format(&mut self) -> Result<Option<AudioResponseFormat>> {
        let Some(name) = self.text("response_format")? else { return Ok(None) };
        if name == "diarized_json" {
            let message = "This release does not tell speakers apart: 'response_format' must not be 'diarized_json'";
            return Err(Error::unsupported_value("response_format", message));
        }
        word("response_format", &name).map(Some)
    }

    fn temperature(&mut self) -> Result<Option<f32>> {
        let Some(text) = self.text("temperature")? else { return Ok(None) };
        let number = text.trim().parse::<f32>();
        number.map(Some).map_err(|_| {
            Error::invalid("temperature", format!("Invalid 'temperature': '{}' is no number", shorten(&text)))
        })
    }

    fn boolean(&mut self, name: &'static str) -> Result<Option<bool>> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(text) => {
                let message = format!("Invalid '{name}': expected 'true' or 'false', got '{}'", shorten(text));
                Err(Error::invalid(name, message))
            }
        }
    }

    /// The words of a list, which comes as repeated parts.
    fn words<T: DeserializeOwned>(&mut self, name: &'static str, repeated: &'static str) -> Result<Vec<T>> {
        let mut texts = self.0.texts(repeated)?;
        texts.extend(self.0.texts(name)?);
        texts.into_iter().map(|text| word(name, text)).collect()
    }

    /// `auto`, an object as JSON, or an object's keys as parts of their own.
    fn strategy(&mut self) -> Result<Option<ChunkingStrategy>> {
        const NAME: &str = "chunking_strategy";
        let whole = self.text(NAME)?;
        let mut object = Map::new();
        for (part, key) in [
            ("chunking_strategy[type]", "type"),
            ("chunking_strategy[threshold]", "threshold"),
            ("chunking_strategy[prefix_padding_ms]", "prefix_padding_ms"),
            ("chunking_strategy[silence_duration_ms]", "silence_duration_ms"),
        ] {
            if let Some(text) = self.text(part)? {
                let number =
                    serde_json::from_str::<Value>(&text).ok().filter(|value| value.is_number() && key != "type");
                object.insert(key.to_owned(), number.unwrap_or(Value::String(text)));
            }
        }
        let value = match whole {
            Some(text) if text == "auto" => return Ok(Some(ChunkingStrategy::Auto)),
            Some(text) => serde_json::from_str(&text).map_err(|_| {
                Error::invalid(NAME, format!("'{NAME}' must be 'auto' or an object, but is '{}'", shorten(&text)))
            })?,
            None if object.is_empty() => return Ok(None),
            None => Value::Object(object),
        };
        match value.get("type").and_then(Value::as_str) {
            Some("server_vad") => {}
            _ => return Err(Error::invalid("chunking_strategy.type", "'chunking_strategy.type' must be 'server_vad'")),
        }
        let strategy = serde_json::from_value(value);
        strategy.map(Some).map_err(|error| Error::invalid(NAME, format!("Invalid '{NAME}': {error}")))
    }

    fn finish(mut self) -> Result<()> {
        for name in UNSERVED {
            if !self.0.texts(name)?.is_empty() {
                let name = name.trim_end_matches("[]");
                return Err(Error::unsupported_parameter(name, format!("This release does not serve '{name}'")));
            }
        }
        self.0.finish()
    }
}

fn missing(name: &'static str) -> Error {
    Error::invalid(name, format!("Missing required parameter: '{name}'"))
}

/// One of an enumeration's words.
fn word<T: DeserializeOwned>(name: &'static str, text: &str) -> Result<T> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| {
        let expected = error.to_string();
        let expected = expected.split_once("expected ").map_or("", |(_, expected)| expected).replace('`', "'");
        Error::unsupported_value(name, format!("Invalid '{name}': expected {expected}, got '{}'", shorten(text)))
    })
}

/// A form with what every request has.
fn begin(file: &AudioFile, model: &str) -> FormWriter {
    let mut form = FormWriter::new();
    form.file("file", if file.name.is_empty() { "audio" } else { &file.name }, &file.content);
    form.text("model", model);
    form
}

fn add_text(form: &mut FormWriter, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        form.text(name, text);
    }
}

/// Adds what serde writes as one word or a number, unless it is null.
fn add_value(form: &mut FormWriter, name: &str, value: &impl Serialize) {
    match serde_json::to_value(value) {
        Ok(Value::Null) | Err(_) => {}
        Ok(Value::String(text)) => form.text(name, &text),
        Ok(value) => form.text(name, &value.to_string()),
    }
}

impl CreateTranscriptionRequest {
    /// The request as HTTP has it.
    pub(crate) fn to_http(&self, stream: bool) -> Result<http::Request<Vec<u8>>> {
        let mut form = begin(&self.file, &self.model);
        add_text(&mut form, "language", self.language.as_deref());
        add_text(&mut form, "prompt", self.prompt.as_deref());
        add_value(&mut form, "response_format", &self.response_format);
        add_value(&mut form, "temperature", &self.temperature);
        for which in &self.timestamp_granularities {
            add_value(&mut form, "timestamp_granularities[]", which);
        }
        for what in &self.include {
            add_value(&mut form, "include[]", what);
        }
        match &self.chunking_strategy {
            Some(ChunkingStrategy::Auto) => form.text("chunking_strategy", "auto"),
            strategy => add_value(&mut form, "chunking_strategy", strategy),
        }
        add_value(&mut form, "stream", &stream);
        form.into_request("/v1/audio/transcriptions")
    }
}

impl CreateTranslationRequest {
    /// The request as HTTP has it.
    pub(crate) fn to_http(&self) -> Result<http::Request<Vec<u8>>> {
        let mut form = begin(&self.file, &self.model);
        add_text(&mut form, "prompt", self.prompt.as_deref());
        add_value(&mut form, "response_format", &self.response_format);
        add_value(&mut form, "temperature", &self.temperature);
        form.into_request("/v1/audio/translations")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::audio::{TimestampGranularity, TranscriptionInclude};

    fn read(fields: &[(&str, &str)]) -> Result<CreateTranscriptionRequest> {
        let mut form = begin(&AudioFile::new("a.wav", *b"RIFF"), "m");
        for (name, text) in fields {
            form.text(name, text);
        }
        let request = form.into_request("/").unwrap();
        SpeechForm::read(request.headers(), request.body())?.transcription()
    }

    #[test]
    fn forms_say_what_requests_do() {
        // AU1
        let file = AudioFile::new("a \"b\".wav", [0_u8, 13, 10, 255].as_slice());
        let requests = [
            CreateTranscriptionRequest::new("m", file.clone()),
            CreateTranscriptionRequest::new("m", file.clone())
                .language("de")
                .prompt("Hallo,\r\n--Welt")
                .response_format(AudioResponseFormat::VerboseJson)
                .temperature(0.5)
                .timestamp_granularities([TimestampGranularity::Word, TimestampGranularity::Segment])
                .chunking_strategy(ChunkingStrategy::Auto),
            CreateTranscriptionRequest::new("m", file.clone())
                .include([TranscriptionInclude::Logprobs])
                .chunking_strategy(ChunkingStrategy::ServerVad {
                    threshold: 0.25,
                    prefix_padding_ms: 10,
                    silence_duration_ms: 500,
                }),
        ];
        for request in requests {
            let form = request.to_http(false).unwrap();
            let read = SpeechForm::read(form.headers(), form.body()).unwrap().transcription().unwrap();
            assert_eq!(read.file.content, request.file.content);
            assert_eq!(CreateTranscriptionRequest { file: request.file.clone(), stream: None, ..read }, request);
        }
        let translation = CreateTranslationRequest::new("m", file).prompt("p").temperature(1.0);
        let form = translation.to_http().unwrap();
        let read = SpeechForm::read(form.headers(), form.body()).unwrap().translation().unwrap();
        assert_eq!((read.prompt.as_deref(), read.temperature), (Some("p"), Some(1.0)));
    }

    #[test]
    fn a_strategy_comes_in_three_forms() {
        // AU8
        let expected = ChunkingStrategy::ServerVad { threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 700 };
        let forms = [
            vec![("chunking_strategy[type]", "server_vad"), ("chunking_strategy[silence_duration_ms]", "700")],
            vec![("chunking_strategy", r#"{"type": "server_vad", "silence_duration_ms": 700}"#)],
        ];
        for form in forms {
            assert_eq!(read(&form).unwrap().chunking_strategy, Some(expected));
        }
        assert_eq!(read(&[("chunking_strategy", "auto")]).unwrap().chunking_strategy, Some(ChunkingStrategy::Auto));
    }

    #[test]
    fn bad_forms_name_the_parameter() {
        // AU2, AU5, ER3
        let bad: &[(&[(&str, &str)], &str)] = &[
            (&[("response_format", "xml")], "response_format"),
            (&[("response_format", "diarized_json")], "response_format"),
            (&[("temperature", "1.5")], "temperature"),
            (&[("temperature", "NaN")], "temperature"),
            (&[("temperature", "hot")], "temperature"),
            (&[("timestamp_granularities[]", "word")], "timestamp_granularities"),
            (&[("timestamp_granularities[]", "day"), ("response_format", "verbose_json")], "timestamp_granularities"),
            (&[("include[]", "logprobs"), ("response_format", "text")], "include"),
            (&[("include[]", "tokens")], "include"),
            (&[("stream", "yes")], "stream"),
            (&[("stream", "true"), ("response_format", "srt")], "response_format"),
            (&[("chunking_strategy", "manual")], "chunking_strategy"),
            (&[("chunking_strategy[type]", "client_vad")], "chunking_strategy.type"),
            (&[("chunking_strategy", r#"{"type": "server_vad", "threshold": 2}"#)], "chunking_strategy.threshold"),
            (
                &[("chunking_strategy", r#"{"type": "server_vad", "silence_duration_ms": 99999}"#)],
                "chunking_strategy.silence_duration_ms",
            ),
            (&[("chunking_strategy", r#"{"type": "server_vad", "prefix_padding_ms": -1}"#)], "chunking_strategy"),
            (&[("known_speaker_names[]", "Ada")], "known_speaker_names"),
            (&[("keywords[]", "Ada")], "keywords"),
            (&[("languages[]", "en")], "languages"),
            (&[("langauge", "en")], "langauge"),
            (&[("model", "n")], "model"),
        ];
        for (fields, param) in bad {
            let error = read(fields).expect_err(param);
            assert_eq!((error.status(), error.param()), (Some(400), Some(*param)), "{error}");
        }
        let form = begin(&AudioFile::new("a", *b"x"), "").into_request("/").unwrap();
        let error = SpeechForm::read(form.headers(), form.body()).unwrap().transcription().unwrap_err();
        assert_eq!(error.param(), Some("model"));
    }
}
