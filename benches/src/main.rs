//! wip
#![expect(clippy::print_stdout, reason = "reports")]
use std::time::Instant;
use zerohop::types::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let len: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let prompt = format!("Write a long story about a fox. {}", vec!["fox"; len].join(" "));
    let render = |p: &str| {
        format!(
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n{p}<|im_end|>\n<|im_start|>assistant\n"
        )
    };
    let which = std::env::var("W").unwrap_or_default();
    for _ in 0..3 {
        if which != "zh" {
            let bare = zerohop_bench::Bare::load(&path).unwrap();
            let tokens = bare.tokenize(&render(&prompt));
            let t = Instant::now();
            let mut run = bare.start(&tokens, n, 2).unwrap();
            let first = t.elapsed();
            let t = Instant::now();
            for _ in 0..n - 1 {
                run.step().unwrap();
            }
            println!("bare first {first:?} decode {:.2} tok/s", (n - 1) as f64 / t.elapsed().as_secs_f64());
        }
        if which == "bare" {
            continue;
        }
        let engine = zerohop::Engine::builder()
            .model(
                "m",
                zerohop::ModelOptions::new(&path)
                    .context_length(std::env::var("CTX").map_or(0, |v| v.parse().unwrap()))
                    .parallel(std::env::var("PAR").map_or(0, |v| v.parse().unwrap())),
            )
            .build()
            .unwrap();
        let t = Instant::now();
        let mut s = engine
            .chat()
            .create_stream(
                &CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user(prompt.as_str())])
                    .temperature(0.0)
                    .max_completion_tokens(n as u32),
            )
            .unwrap();
        s.next().unwrap().unwrap();
        let first = t.elapsed();
        let t = Instant::now();
        let k = s.count() - 2;
        println!("zh   first {first:?} decode {:.2} tok/s ({k})", k as f64 / t.elapsed().as_secs_f64());
    }
}
