//! Speech that chat models with a projector write down: tiny ones, whose words are noise, but those of a chat.

mod common;

use common::engine;
use common::media::{gemma3, sound, text, tone};
use zerohop::types::{
    AudioFile, AudioResponseFormat, ChatCompletionMessage, ChunkingStrategy, CreateChatCompletionRequest,
    CreateTranscriptionRequest, CreateTranslationRequest, TranscriptionReply, TranscriptionStreamEvent,
    TranscriptionUsage,
};

/// What a chat model is asked to write down speech.
fn spoken(task: &str, bytes: &[u8]) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user(vec![text(task), sound(bytes)])])
        .temperature(0.0)
}

#[test]
fn a_chat_model_that_hears_writes_down_speech() {
    // AU2, AU3, AU7, AU9
    let engine = engine(gemma3().context_length(1024));
    let bytes = tone(220.0, 1.0);
    let file = || AudioFile::new("speech.ogg", bytes.clone());
    let task = "Write down word for word what is said in the audio, and nothing else. Its language is de.";
    let chat = engine.chat().create(&spoken(task, &bytes)).unwrap();
    let expected = chat.text().unwrap().trim();
    let request = CreateTranscriptionRequest::new("m", file()).language("de");
    let TranscriptionReply::Json(reply) = engine.transcriptions().create(&request).unwrap() else { panic!() };
    assert_eq!(reply.text, expected);
    let usage = reply.usage.unwrap();
    let TranscriptionUsage::Tokens { input_tokens, input_token_details, output_tokens, total_tokens } = &usage else {
        panic!("{usage:?}")
    };
    let told = [*input_tokens, input_token_details.audio_tokens, *output_tokens, *total_tokens];
    let counted = &chat.usage;
    let audio_tokens = counted.prompt_tokens_details.audio_tokens;
    assert_eq!(
        told,
        [counted.prompt_tokens, audio_tokens, counted.completion_tokens, counted.total_tokens].map(u64::from)
    );

    let events: Vec<_> = engine.transcriptions().create_stream(&request).unwrap().map(Result::unwrap).collect();
    let (last, deltas) = events.split_last().unwrap();
    assert_eq!(deltas.iter().filter_map(TranscriptionStreamEvent::delta).collect::<String>(), expected);
    let TranscriptionStreamEvent::Done { text, usage: told, .. } = last else { panic!("{last:?}") };
    assert_eq!((text.as_str(), told), (expected, &usage));

    let task = "Write down in English what is said in the audio, and nothing else.";
    let chat = engine.chat().create(&spoken(task, &bytes)).unwrap();
    let request = CreateTranslationRequest::new("m", file()).response_format(AudioResponseFormat::Text);
    let reply = engine.translations().create(&request).unwrap();
    assert_eq!(reply, TranscriptionReply::Text(chat.text().unwrap().trim().to_owned() + "\n"));
}

#[test]
fn what_a_chat_model_cannot_tell_of_speech_is_refused() {
    // AU1, AU2, CQ20
    let engine = engine(gemma3().context_length(1024));
    let request = |bytes: &[u8]| CreateTranscriptionRequest::new("m", AudioFile::new("a.wav", bytes));
    let speech = tone(220.0, 1.0);
    let pauses = ChunkingStrategy::ServerVad { threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 200 };
    for (request, param) in [
        (request(&speech).response_format(AudioResponseFormat::Srt), "response_format"),
        (request(&speech).response_format(AudioResponseFormat::VerboseJson), "response_format"),
        (request(&speech).chunking_strategy(pauses), "chunking_strategy"),
        (request(b"no sound"), "file"),
        (request(&tone(220.0, 200.0)), "file"),
    ] {
        let error = engine.transcriptions().create(&request).unwrap_err();
        assert_eq!((error.status(), error.param()), (Some(400), Some(param)), "{error}");
    }
}
