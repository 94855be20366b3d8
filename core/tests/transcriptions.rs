//! Speech to text with a real model.

mod common;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{engine, model, models};
use zerohop::types::{
    AudioFile, AudioResponseFormat, ChunkingStrategy, CreateTranscriptionRequest, CreateTranslationRequest,
    TimestampGranularity, TranscriptionInclude, TranscriptionReply, TranscriptionStreamEvent, TranscriptionUsage,
    TranscriptionVerbose,
};
use zerohop::{Engine, Error, ErrorKind, KvType, ModelOptions};

/// The rate of the test speech.
const RATE: u32 = 22_050;

fn whisper() -> Engine {
    engine(ModelOptions::new(model("whisper-tiny.en-f16.bin")))
}

/// A file of the test speech.
fn speech(name: &str) -> AudioFile {
    AudioFile::new(name, std::fs::read(models().join("speech").join(name)).expect("run `make models`"))
}

/// What is said in a file.
fn said(name: &str) -> String {
    std::fs::read_to_string(models().join("speech").join(format!("{name}.txt"))).unwrap()
}

fn request(file: &AudioFile) -> CreateTranscriptionRequest {
    CreateTranscriptionRequest::new("m", file.clone())
}

fn text(engine: &Engine, file: &AudioFile) -> String {
    engine.transcriptions().create(&request(file)).unwrap().text().to_owned()
}

fn verbose(engine: &Engine, request: &CreateTranscriptionRequest) -> TranscriptionVerbose {
    let request = request.clone().response_format(AudioResponseFormat::VerboseJson);
    let TranscriptionReply::Verbose(reply) = engine.transcriptions().create(&request).unwrap() else { panic!() };
    *reply
}

/// The samples of a WAV file of the test speech.
fn samples(name: &str) -> Vec<f32> {
    let file = speech(&format!("{name}.wav"));
    let sample = |bytes: &[u8]| f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32768.0;
    file.content[44..].chunks_exact(2).map(sample).collect()
}

/// So many seconds without sound.
fn silence(seconds: f32) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests are short")]
    let count = (seconds * 22_050.0) as usize;
    vec![0.0; count]
}

/// A WAV file of so many channels.
fn wav(rate: u32, channels: u16, samples: &[f32]) -> AudioFile {
    let mut data = Vec::with_capacity(samples.len() * usize::from(channels) * 2);
    for sample in samples {
        #[expect(clippy::cast_possible_truncation, reason = "samples are from -1 to 1")]
        let sample = (sample * 32767.0) as i16;
        (0..channels).for_each(|_| data.extend(sample.to_le_bytes()));
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
    let mut file = [b"RIFF".as_slice(), &length(36 + data.len()), b"WAVEfmt ", &length(16), &[1, 0]].concat();
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(channels) * 2).to_le_bytes());
    file.extend((channels * 2).to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(length(data.len()));
    file.extend(data);
    AudioFile::new("a.wav", file)
}

/// Words in lower case without punctuation.
fn words(text: &str) -> Vec<String> {
    let clean = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    text.split_whitespace().map(clean).filter(|word| !word.is_empty()).collect()
}

/// Words that were inserted, left out or replaced, for each that was said.
fn error_rate(said: &str, heard: &str) -> f64 {
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (index, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for column in 0..heard.len() {
            let replaced = diagonal + usize::from(*word != heard[column]);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "texts are short")]
    let rate = row[heard.len()] as f64 / said.len() as f64;
    rate
}

#[test]
fn speech_is_written_down() {
    // AU3
    let engine = whisper();
    let mut all = (String::new(), String::new());
    for name in ["garden", "weather", "river"] {
        let heard = text(&engine, &speech(&format!("{name}.wav")));
        let _ = write!(all.0, "{} ", said(name));
        let _ = write!(all.1, "{heard} ");
    }
    assert!(error_rate(&all.0, &all.1) <= 0.15, "{all:?}");
}

#[test]
fn every_container_is_read() {
    // AU1
    let engine = whisper();
    let wav = text(&engine, &speech("garden.wav"));
    for ending in ["flac", "mp3", "m4a", "mp4", "ogg", "opus", "webm"] {
        let heard = text(&engine, &speech(&format!("garden.{ending}")));
        // What lossy codecs leave out may cost a word, and another for where it was cut.
        assert!(error_rate(&wav, &heard) <= 0.2, "{ending}: {heard}");
    }
}

#[test]
fn recordings_that_follow_each_other_in_a_file_are_heard() {
    let engine = whisper();
    for name in ["garden.ogg", "garden.opus"] {
        let one = speech(name);
        let file = AudioFile::new(name, [&one.content[..], &one.content].concat());
        let reply = verbose(&engine, &request(&file));
        assert!(reply.duration > 8.0, "{name}: {}", reply.duration);
        assert_eq!(words(&reply.text).iter().filter(|word| *word == "children").count(), 2, "{name}: {}", reply.text);
    }
}

#[test]
fn rates_and_channels_do_not_matter() {
    let engine = whisper();
    let garden = samples("garden");
    let wanted = said("garden");
    for (rate, channels) in [(RATE, 8), (2 * RATE, 1), (176_400, 2)] {
        let repeated: Vec<f32> = garden.iter().flat_map(|sample| vec![*sample; (rate / RATE) as usize]).collect();
        let heard = text(&engine, &wav(rate, channels, &repeated));
        assert!(error_rate(&wanted, &heard) <= 0.2, "{rate} {channels}: {heard}");
    }
}

#[test]
fn silence_and_noise_are_no_speech() {
    // AU8
    let engine = whisper();
    let mut state = 1_u32;
    let noise: Vec<f32> = (0..RATE * 8)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f32::from(u16::try_from(state >> 16).unwrap()) / 32768.0 - 1.0) * 0.1
        })
        .collect();
    for (samples, seconds) in [(silence(70.0), 70.0), (noise, 8.0), (vec![0.0; 8], 0.0)] {
        let reply = verbose(&engine, &request(&wav(RATE, 1, &samples)));
        assert_eq!((reply.text.as_str(), reply.duration), ("", seconds));
        assert_eq!(reply.segments, Some(Vec::new()));
    }
}

#[test]
fn words_have_the_times_they_are_said_at() {
    // AU4, AU5
    let engine = whisper();
    let request = request(&speech("words.wav"))
        .timestamp_granularities([TimestampGranularity::Word, TimestampGranularity::Segment]);
    let reply = verbose(&engine, &request);
    let known: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(models().join("speech/words.json")).unwrap()).unwrap();
    let words = reply.words.unwrap();
    assert_eq!(words.len(), 5);
    let mut last = 0.0;
    for (word, known) in words.iter().zip(known.as_array().unwrap()) {
        assert_eq!(self::words(&word.word), self::words(known["word"].as_str().unwrap()));
        let off = |time: f64, key: &str| (time - known[key].as_f64().unwrap()).abs();
        assert!(off(word.start, "start") < 0.15 && off(word.end, "end") < 0.15, "{word:?} {known}");
        assert!(word.start >= last && word.end >= word.start && word.end <= reply.duration);
        last = word.end;
    }
    let segments = reply.segments.unwrap();
    assert_eq!(segments.iter().map(|segment| segment.text.as_str()).collect::<String>().trim(), reply.text);
    for (id, segment) in (0..).zip(&segments) {
        assert_eq!(segment.id, id);
        assert!(segment.start <= segment.end && segment.end <= reply.duration && !segment.tokens.is_empty());
        assert!(segment.avg_logprob <= 0.0 && segment.compression_ratio > 0.0 && segment.temperature >= 0.0);
        assert!((0.0..=1.0).contains(&segment.no_speech_prob));
    }
    assert_eq!((reply.language.as_str(), reply.task.as_str()), ("english", "transcribe"));
}

#[test]
fn only_what_was_asked_for_has_times() {
    // AU5
    let engine = whisper();
    let request = request(&speech("garden.mp3"));
    let reply = verbose(&engine, &request.clone().timestamp_granularities([TimestampGranularity::Word]));
    assert!(reply.segments.is_none() && reply.words.is_some_and(|words| words.len() > 10));
    let reply = verbose(&engine, &request);
    assert!(reply.words.is_none() && reply.segments.is_some_and(|segments| !segments.is_empty()));
    let json = request.clone().timestamp_granularities([TimestampGranularity::Word]);
    let error = engine.transcriptions().create(&json).unwrap_err();
    assert_eq!((error.status(), error.param()), (Some(400), Some("timestamp_granularities")));
}

#[test]
fn subtitles_and_plain_text() {
    // AU2, AU6
    let engine = whisper();
    let request = request(&speech("garden.wav"));
    let with = |format| {
        let reply = engine.transcriptions().create(&request.clone().response_format(format)).unwrap();
        let TranscriptionReply::Text(text) = reply else { panic!("{reply:?}") };
        text
    };
    let plain = with(AudioResponseFormat::Text);
    assert_eq!(plain.trim(), text(&engine, &speech("garden.wav")));
    let srt = with(AudioResponseFormat::Srt);
    assert!(srt.starts_with("1\n00:00:0") && srt.contains(" --> 00:00:0") && srt.ends_with("\n\n"), "{srt}");
    let vtt = with(AudioResponseFormat::Vtt);
    assert!(vtt.starts_with("WEBVTT\n\n00:00:0") && !vtt.contains(','), "{vtt}");
}

#[test]
fn tokens_have_probabilities_when_asked() {
    // AU3
    let engine = whisper();
    let request = request(&speech("garden.wav")).include([TranscriptionInclude::Logprobs]);
    let TranscriptionReply::Json(reply) = engine.transcriptions().create(&request).unwrap() else { panic!() };
    let logprobs = reply.logprobs.unwrap();
    let bytes: Vec<u8> = logprobs.iter().flat_map(|entry| entry.bytes.clone()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap().trim(), reply.text);
    assert!(logprobs.iter().all(|entry| entry.logprob <= 0.0 && entry.logprob.is_finite()));
    let Some(TranscriptionUsage::Duration { seconds }) = reply.usage else { panic!() };
    assert!((4.0..6.0).contains(&seconds), "{seconds}");
}

#[test]
fn pieces_join_to_the_text() {
    // AU7
    let engine = whisper();
    let long = [samples("garden"), silence(25.0), samples("weather"), samples("river")].concat();
    let request = request(&wav(RATE, 1, &long)).include([TranscriptionInclude::Logprobs]);
    let mut stream = engine.transcriptions().create_stream(&request).unwrap();
    let (mut joined, mut deltas, mut tokens, mut end) = (String::new(), 0, 0, None);
    for event in &mut stream {
        assert!(end.is_none());
        match event.unwrap() {
            TranscriptionStreamEvent::Delta { delta, logprobs } => {
                joined.push_str(&delta);
                tokens += logprobs.unwrap().len();
                deltas += 1;
            }
            TranscriptionStreamEvent::Done { text, logprobs, usage } => end = Some((text, logprobs, usage)),
            other => panic!("{other:?}"),
        }
    }
    let (text, logprobs, usage) = end.unwrap();
    assert_eq!(joined, text);
    assert!(deltas >= 2);
    assert_eq!(logprobs.unwrap().len(), tokens);
    let TranscriptionUsage::Tokens { input_tokens, output_tokens, total_tokens, .. } = usage else { panic!() };
    assert_eq!(output_tokens, tokens as u64);
    assert_eq!(input_tokens + output_tokens, total_tokens);
    assert_eq!(stream.progress().unwrap().1, Some(stream.progress().unwrap().0));
    let wanted = format!("{} {} {}", said("garden"), said("weather"), said("river"));
    assert!(error_rate(&wanted, &text) <= 0.25, "{text}");
}

#[test]
fn long_audio_is_cut_in_pauses() {
    // AU8
    let engine = whisper();
    let names = ["garden", "weather", "river", "weather", "garden", "river", "garden"];
    let mut long = Vec::new();
    let mut wanted = String::new();
    for name in names {
        long.extend(samples(name));
        long.extend(silence(1.0));
        wanted.push_str(&said(name));
    }
    let file = wav(RATE, 1, &long);
    for strategy in [
        None,
        Some(ChunkingStrategy::Auto),
        Some(ChunkingStrategy::ServerVad { threshold: 0.3, prefix_padding_ms: 100, silence_duration_ms: 500 }),
    ] {
        let mut request = request(&file);
        request.chunking_strategy = strategy;
        let reply = verbose(&engine, &request);
        let rate = error_rate(&wanted, &reply.text);
        assert!(rate <= 0.25, "{strategy:?}: {rate} {}", reply.text);
        let segments = reply.segments.unwrap();
        assert!(segments.is_sorted_by(|a, b| a.start <= b.start) && segments.last().unwrap().seek > 0);
    }
}

#[test]
fn a_prompt_and_a_language_are_heeded() {
    // AU8
    let engine = whisper();
    let request = request(&speech("garden.wav"));
    for prompt in ["Fables.", "", "\u{1f98a} [_EOT_] <|endoftext|>", &"so ".repeat(10_000)] {
        assert!(!engine.transcriptions().create(&request.clone().prompt(prompt)).unwrap().text().is_empty());
    }
    let ended = request.clone().prompt("a\0b");
    assert_eq!(engine.transcriptions().create(&ended).unwrap_err().param(), Some("prompt"));
    for language in ["en", "EN", "english"] {
        assert!(engine.transcriptions().create(&request.clone().language(language)).is_ok());
    }
    for language in ["de", "xx", "e"] {
        let error = engine.transcriptions().create(&request.clone().language(language)).unwrap_err();
        assert_eq!((error.status(), error.param()), (Some(400), Some("language")));
    }
    let warm = engine.transcriptions().create(&request.clone().temperature(0.4)).unwrap();
    assert!(error_rate(&said("garden"), warm.text()) < 0.5, "{}", warm.text());
}

#[test]
fn an_english_model_translates_nothing() {
    // AU9
    let engine = whisper();
    let request = CreateTranslationRequest::new("m", speech("garden.wav"));
    let error = engine.translations().create(&request).unwrap_err();
    assert_eq!((error.status(), error.param()), (Some(400), Some("model")));
}

#[test]
fn models_do_what_they_are_made_for() {
    let engine = Engine::builder()
        .model("chat", common::tiny())
        .model("m", ModelOptions::new(model("whisper-tiny.en-f16.bin")).lazy(true))
        .build()
        .unwrap();
    let refused = |error: Error| assert_eq!((error.status(), error.param()), (Some(400), Some("model")), "{error}");
    refused(
        engine.transcriptions().create(&CreateTranscriptionRequest::new("chat", speech("garden.mp3"))).unwrap_err(),
    );
    refused(engine.chat().create(&common::greedy("Hi", 4)).unwrap_err());
    refused(engine.tokenize(&zerohop::types::TokenizeRequest::new("m", "Hi")).unwrap_err());
    let embedding = zerohop::types::CreateEmbeddingRequest::new("m", ["Hi"]);
    refused(engine.embeddings().create(&embedding).unwrap_err());
    let file = model("whisper-tiny.en-f16.bin");
    for options in [ModelOptions::new(&file).context_length(512), ModelOptions::new(&file).kv_type(KvType::Q8_0)] {
        let error = Engine::builder().model("m", options).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    let infos = engine.model_info();
    assert_eq!((infos[1].architecture.as_str(), infos[1].quantization.as_deref()), ("whisper", Some("F16")));
    assert!(infos[1].loaded && infos[1].parameters > 30_000_000);
    assert_eq!(engine.models().list().data.len(), 2);
    let unknown = CreateTranscriptionRequest::new("none", speech("garden.mp3"));
    assert_eq!(engine.transcriptions().create(&unknown).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn chat_and_speech_go_on_at_the_same_time() {
    let engine = Arc::new(
        Engine::builder()
            .model("m", common::tiny())
            .model("whisper", ModelOptions::new(model("whisper-tiny.en-f16.bin")))
            .build()
            .unwrap(),
    );
    let garden = CreateTranscriptionRequest::new("whisper", speech("garden.wav"));
    let alone = engine.transcriptions().create(&garden).unwrap();
    std::thread::scope(|scope| {
        let chats = scope.spawn(|| {
            for _ in 0..20 {
                engine.chat().create(&common::greedy("Hi", 20)).unwrap();
            }
        });
        let texts: Vec<_> = (0..3).map(|_| scope.spawn(|| engine.transcriptions().create(&garden).unwrap())).collect();
        for text in texts {
            assert_eq!(text.join().unwrap(), alone);
        }
        chats.join().unwrap();
    });
}

#[test]
fn several_windows_may_be_computed_at_once() {
    let options = ModelOptions::new(model("whisper-tiny.en-f16.bin")).parallel(2).threads(2);
    let engine = engine(options);
    let metrics = || engine.metrics().models.remove(0);
    assert_eq!(metrics().slots, 2);
    let texts: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = ["garden.wav", "weather.wav", "river.wav", "garden.wav"]
            .map(|name| scope.spawn(|| text(&engine, &speech(name))))
            .into_iter()
            .collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(texts[0], texts[3]);
    assert!(metrics().completion_tokens > 50 && metrics().slots_busy == 0);
}

#[test]
fn a_short_file_does_not_wait_for_a_long_one() {
    let engine = whisper();
    let long: Vec<f32> = std::iter::repeat_with(|| samples("weather")).take(60).flatten().collect();
    let mut stream = engine.transcriptions().create_stream(&request(&wav(RATE, 1, &long))).unwrap();
    assert!(matches!(stream.next().unwrap().unwrap(), TranscriptionStreamEvent::Delta { .. }));
    text(&engine, &speech("garden.wav"));
    let (heard, length) = stream.progress().unwrap();
    assert!(heard < length.unwrap(), "{heard}");
    // Cancelled, it ends at once, and the engine serves others.
    let started = Instant::now();
    stream.cancel_handle().cancel();
    assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(1));
    text(&engine, &speech("garden.wav"));
    let stream = engine.transcriptions().create_stream(&request(&wav(RATE, 1, &long))).unwrap();
    drop(stream);
    text(&engine, &speech("garden.wav"));
    let mut stream = engine.transcriptions().create_stream(&request(&wav(RATE, 1, &long))).unwrap();
    engine.close();
    assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Closed);
}

#[test]
fn nobody_waits_for_long_silence() {
    let engine = whisper();
    let silence = vec![0.0; 2 * 3600 * 2000];
    let mut stream = engine.transcriptions().create_stream(&request(&wav(2000, 1, &silence))).unwrap();
    text(&engine, &speech("garden.wav"));
    // Each had some turns.
    let (passed, length) = stream.progress().unwrap();
    assert!(passed < 1800.0 && length.is_some(), "{passed}");
    stream.cancel_handle().cancel();
    assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Cancelled);
    common::wait_until_idle(&engine);
}

#[test]
fn some_may_wait_and_no_more() {
    // ER5
    let engine = engine(ModelOptions::new(model("whisper-tiny.en-f16.bin")).queue(1));
    let long: Vec<f32> = std::iter::repeat_with(|| samples("weather")).take(120).flatten().collect();
    let start = || engine.transcriptions().create_stream(&request(&wav(RATE, 1, &long)));
    let running = start().unwrap();
    let waiting = start().unwrap();
    let refused = start().unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(429), Some("rate_limit_exceeded")));
    // Whoever leaves gives the place back, running or not.
    drop(waiting);
    common::wait_until("the place is taken", || start().is_ok());
    drop(running);
    common::wait_until_idle(&engine);
}

#[test]
fn progress_is_told_and_may_end_the_request() {
    let engine = whisper();
    let long: Vec<f32> = std::iter::repeat_with(|| samples("weather")).take(12).flatten().collect();
    let request = request(&wav(RATE, 1, &long));
    let mut told = Vec::new();
    let reply = engine.transcriptions().create_with_progress(&request, |heard, length| {
        told.push((heard, length));
        true
    });
    assert!(!reply.unwrap().text().is_empty());
    assert!(told.is_sorted_by(|a, b| a.0 <= b.0) && told.iter().any(|(heard, _)| *heard > 0.0));
    assert!(told.iter().flat_map(|(_, length)| length).all(|length| (60.0..75.0).contains(length)), "{told:?}");
    let ended = engine.transcriptions().create_with_progress(&request, |_, _| false);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn what_is_no_audio_is_a_400() {
    // AU1, ER8
    let engine = whisper();
    let mp3 = speech("garden.mp3");
    let bad = [
        AudioFile::new("a.wav", []),
        AudioFile::new("a.wav", *b"RIFF"),
        AudioFile::new("a.mp3", vec![0_u8; 10_000]),
        AudioFile::new("a.flac", b"not audio at all".repeat(100)),
        AudioFile::new("", vec![0xff_u8; 4000]),
        wav(RATE, 1, &[]),
    ];
    for file in bad {
        let error = engine.transcriptions().create(&request(&file)).unwrap_err();
        assert_eq!((error.status(), error.param()), (Some(400), Some("file")), "{}: {error}", file.name);
    }
    // What was cut off is heard as far as it goes.
    let half = AudioFile::new("a.mp3", &mp3.content[..mp3.content.len() / 2]);
    assert!(text(&engine, &half).to_lowercase().contains("car"));
}

#[test]
fn damaged_files_end_in_text_or_in_a_400() {
    // ER8
    let engine = whisper();
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize
    };
    let rounds = common::count(3, 60);
    for ending in ["wav", "flac", "mp3", "m4a", "ogg", "opus", "webm"] {
        let whole = speech(&format!("garden.{ending}"));
        for round in 0..rounds {
            let mut bytes = whole.content.to_vec();
            // Headers matter most.
            let until = if round % 2 == 0 { 400 } else { bytes.len() };
            for _ in 0..8 {
                bytes[next() % until] = next().to_le_bytes()[0];
            }
            bytes.truncate(bytes.len() - next() % 2000);
            let file = AudioFile::new(whole.name.clone(), bytes);
            if let Err(error) = engine.transcriptions().create(&request(&file)) {
                assert_eq!((error.status(), error.param()), (Some(400), Some("file")), "{ending}: {error}");
            }
        }
    }
}

#[test]
fn ten_minutes_take_no_more_memory_than_one() {
    if common::count(0, 1) == 0 {
        return;
    }
    common::use_one_arena();
    let engine = engine(ModelOptions::new(model("whisper-tiny.en-f16.bin")).threads(2));
    let one: Vec<f32> = ["garden", "weather", "river", "garden", "weather", "river", "garden", "weather", "river"]
        .iter()
        .flat_map(|name| [samples(name), silence(1.5)].concat())
        .collect();
    let wanted: String = ["garden", "weather", "river"].map(said).concat().repeat(3);
    let file = |minutes: usize| wav(RATE, 1, &one.repeat(minutes));
    text(&engine, &file(1));
    let before = common::resident_kib();
    let ten = file(12);
    let reply = verbose(&engine, &request(&ten));
    let grown = common::resident_kib().saturating_sub(before);
    let rate = error_rate(&wanted.repeat(12), &reply.text);
    assert!(reply.duration > 600.0 && rate <= 0.25, "{rate}");
    // The file is held twice while it is read.
    assert!(grown < 3 * ten.content.len() / 1024 + 32 * 1024, "{grown}");
}
