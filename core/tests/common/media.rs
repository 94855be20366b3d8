//! Tiny models that see and hear, and what to show them.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use zerohop::types::{
    ChatCompletion, ChatCompletionMessage, ContentPart, CreateChatCompletionRequest, InputAudioFormat,
};
use zerohop::{Engine, Error, ModelOptions};

use super::model;

/// Rows that see each other, 16 for an image; a sliding window; and ears.
pub fn gemma3() -> ModelOptions {
    sees("tiny/", "gemma3")
}

/// Rows with places in a plane, as many as the image's size says; our own kernels.
pub fn qwen2vl() -> ModelOptions {
    sees("tiny/qwen2vl/", "qwen2vl")
}

fn sees(folder: &str, name: &str) -> ModelOptions {
    let file = |prefix: &str| model(&format!("{folder}{prefix}tiny-{name}.gguf"));
    ModelOptions::new(file("")).projector(file("mmproj-")).threads(1)
}

/// A picture that is different for each `seed`.
pub fn picture(seed: u8, width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let level = |number: u32| u8::try_from(number % 256).unwrap();
        Rgb([level(x * u32::from(seed)), level(y * 3 + u32::from(seed) * 40), level((x + y) * 2)])
    });
    png(&image)
}

pub fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A file of 32-bit floats, one channel after another for each moment.
pub fn wav(samples: &[f32], rate: u32, channels: u16) -> Vec<u8> {
    let data = samples.len() * 4;
    let size = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
    let mut file = Vec::from(*b"RIFF");
    file.extend(size(36 + data));
    file.extend(b"WAVEfmt \x10\0\0\0\x03\0");
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(channels) * 4).to_le_bytes());
    file.extend((channels * 4).to_le_bytes());
    file.extend(b"\x20\0data");
    file.extend(size(data));
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// A tone in a file of 16,000 samples a second.
pub fn tone(hertz: f32, seconds: f32) -> Vec<u8> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let samples: Vec<f32> = (0..(seconds * 16_000.0) as usize)
        .map(|index| (index as f32 * hertz * std::f32::consts::TAU / 16_000.0).sin() * 0.5)
        .collect();
    wav(&samples, 16_000, 1)
}

/// A greedy request to the model `m` that tells how likely its answer's tokens are.
pub fn show(parts: Vec<ContentPart>) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user(parts)])
        .temperature(0.0)
        .max_completion_tokens(8)
        .logprobs(true)
        .top_logprobs(3)
}

/// The tokens of an answer, each with how likely it and others were.
pub fn told(reply: &ChatCompletion) -> Vec<(String, Vec<f32>)> {
    let tokens = reply.choices[0].logprobs.clone().unwrap().content.unwrap();
    tokens.into_iter().map(|token| (token.token, token.top_logprobs.iter().map(|top| top.logprob).collect())).collect()
}

pub fn text(text: &str) -> ContentPart {
    ContentPart::text(text)
}

pub fn image(seed: u8) -> ContentPart {
    ContentPart::image_bytes(picture(seed, 112, 84))
}

pub fn sound(bytes: &[u8]) -> ContentPart {
    ContentPart::audio_bytes(bytes, InputAudioFormat::Wav)
}

#[track_caller]
pub fn ask(engine: &Engine, parts: Vec<ContentPart>) -> ChatCompletion {
    engine.chat().create(&show(parts)).unwrap()
}

/// What a request that cannot be answered gets.
#[track_caller]
pub fn refused(engine: &Engine, part: ContentPart) -> Error {
    let error = engine.chat().create(&show(vec![text("Look:"), part])).unwrap_err();
    assert_eq!(error.status(), Some(400), "{error}");
    error
}

pub fn prompt_tokens(reply: &ChatCompletion) -> u32 {
    reply.usage.prompt_tokens
}
