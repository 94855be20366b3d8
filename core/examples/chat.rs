//! Answers one question, streamed: `cargo run --release -p zerohop --example chat -- MODEL.gguf [QUESTION]`.
#![expect(clippy::print_stdout, reason = "an example shows its answer")]

use std::io::Write;

use zerohop::Engine;
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("usage: chat MODEL.gguf [QUESTION]")?;
    let question = arguments.next().unwrap_or_else(|| "What is the capital of France?".to_owned());

    let engine = Engine::builder().model("chat", model).build()?;
    let messages = [ChatCompletionMessage::system("Answer in one sentence."), ChatCompletionMessage::user(question)];
    let request = CreateChatCompletionRequest::new("chat", messages).temperature(0.0).max_completion_tokens(64);
    for chunk in engine.chat().create_stream(&request)? {
        print!("{}", chunk?.text().unwrap_or_default());
        std::io::stdout().flush()?;
    }
    println!();
    Ok(())
}
