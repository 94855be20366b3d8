//! Greedy answers equal a bare llama-cpp-2 loop's, token for token.
//!
//! In a file of its own, that is a process of its own, because llama-cpp-2
//! initialises llama.cpp once per process: the bare loop runs first.

use std::path::PathBuf;

use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop::{Engine, ModelOptions, Repack};
use zerohop_bench::Bare;

const TOKENS: u32 = 24;

fn model() -> PathBuf {
    let folder = std::env::var_os("ZEROHOP_TEST_MODELS").expect("ZEROHOP_TEST_MODELS is not set: run `make test`");
    PathBuf::from(folder).join("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
}

/// Prompts of 20 to 1,500 tokens.
fn prompts() -> Vec<String> {
    let words = ["river", "stone", "seven", "quick", "engine", "window", "paper", "cloud", "bridge", "token"];
    let lengths: &[usize] = if std::env::var_os("ZEROHOP_TEST_FULL").is_some() {
        &[1, 5, 30, 60, 120, 210, 218, 219, 220, 221, 300, 466, 474, 475, 476, 477, 600, 900, 1200, 1400]
    } else {
        &[1, 60, 219, 475, 1200]
    };
    lengths
        .iter()
        .map(|&length| {
            let text: Vec<&str> = (0..length).map(|word| words[(word * 7 + length) % words.len()]).collect();
            format!("Summarise this text in a sentence: {}", text.join(" "))
        })
        .collect()
}

#[test]
fn greedy_answers_equal_the_bare_loops() {
    let prompts = prompts();
    let threads = i32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    let bare = Bare::load(model()).unwrap();
    let expected: Vec<String> = prompts
        .iter()
        .map(|prompt| {
            // Qwen's own template, spelled out.
            let rendered = format!(
                "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n\
                 <|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
            );
            bare.continue_text(&rendered, TOKENS as usize, threads).unwrap()
        })
        .collect();
    drop(bare);

    // Our kernels round differently, and so do llama.cpp's where what is kept lies before the prompt's cells.
    let options = ModelOptions::new(model()).repack(Repack::Off).prefix_cache(false);
    let engine = Engine::builder().model("qwen", options).build().unwrap();
    for (prompt, expected) in prompts.iter().zip(&expected) {
        let request = CreateChatCompletionRequest::new("qwen", [ChatCompletionMessage::user(prompt.as_str())])
            .temperature(0.0)
            .max_completion_tokens(TOKENS);
        let reply = engine.chat().create(&request).unwrap();
        assert_eq!(reply.text(), Some(expected.as_str()), "a prompt of {} tokens", reply.usage.prompt_tokens);
    }
}
