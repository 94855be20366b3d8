//! How fast a model computes here.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use zerohop::Engine;
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};

use crate::model::{LoadArguments, MODEL};

/// Each figure is the median of the rounds. Other programs on the machine slow it down.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The GGUF file, a folder with one, or hf:OWNER/REPO:QUANT
    model: PathBuf,
    /// Words of the prompt, each about a token
    #[arg(long, value_name = "N", default_value_t = 256)]
    prompt: usize,
    /// Tokens of an answer
    #[arg(long, value_name = "N", default_value_t = 64)]
    tokens: u32,
    /// Callers at once, beside one alone
    #[arg(long, value_name = "N", default_values_t = [8, 16])]
    callers: Vec<usize>,
    /// How often to measure
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArguments,
}

#[derive(Debug, Serialize)]
struct Figures {
    /// Seconds from the file to an engine that answers.
    load_seconds: f64,
    /// Prompt tokens a second.
    prompt: f64,
    /// Tokens a second of all callers together, by their number.
    callers: Vec<(usize, f64)>,
}

pub(crate) fn bench(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.rounds > 0, "--rounds must be at least 1");
    let begun = Instant::now();
    let engine = arguments.load.engine(&arguments.model)?;
    let load_seconds = begun.elapsed().as_secs_f64();
    // Once, so that pages and caches are there.
    engine.chat().create(&request("warm", 8, 4))?;
    let mut figures = Figures { load_seconds, prompt: prompt_speed(&engine, arguments)?, callers: Vec::new() };
    for callers in [1].iter().chain(&arguments.callers) {
        figures.callers.push((*callers, answer_speed(&engine, arguments, *callers)?));
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&figures)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "load          {:8.2} s", figures.load_seconds)?;
    writeln!(out, "prompt        {:8.1} tokens/s", figures.prompt)?;
    for (callers, speed) in &figures.callers {
        writeln!(out, "{callers:3} caller{} {speed:8.1} tokens/s", if *callers == 1 { "   " } else { "s  " })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A request whose prompt shares nothing with others'.
fn request(salt: &str, words: usize, tokens: u32) -> CreateChatCompletionRequest {
    let pool = ["red", "blue", "seven", "stone", "river", "cloud", "engine", "window", "seed", "paper"];
    let words = (0..words).map(|word| pool[(word * 7 + word / 3) % pool.len()]).collect::<Vec<_>>().join(" ");
    CreateChatCompletionRequest::new(MODEL, [ChatCompletionMessage::user(format!("{salt} {words}"))])
        .temperature(0.0)
        .max_completion_tokens(tokens)
        .ignore_eos(true)
}

fn prompt_speed(engine: &Engine, arguments: &Arguments) -> anyhow::Result<f64> {
    let speed = |round: usize| {
        let begun = Instant::now();
        let reply = engine.chat().create(&request(&format!("prompt {round}"), arguments.prompt, 1))?;
        Ok(per_second(reply.usage.prompt_tokens.into(), begun.elapsed()))
    };
    median((0..arguments.rounds).map(speed))
}

fn answer_speed(engine: &Engine, arguments: &Arguments, callers: usize) -> anyhow::Result<f64> {
    let speed = |round: usize| {
        let begun = Instant::now();
        let replies: Vec<_> = thread::scope(|scope| {
            let ask = |caller: usize| {
                let request = request(&format!("answer {round} {caller}"), 16, arguments.tokens);
                scope.spawn(move || engine.chat().create(&request))
            };
            let threads: Vec<_> = (0..callers).map(ask).collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let elapsed = begun.elapsed();
        let mut tokens = 0;
        for reply in replies {
            tokens += u64::from(reply.map_err(|_| anyhow::anyhow!("a caller failed"))??.usage.completion_tokens);
        }
        Ok(per_second(tokens, elapsed))
    };
    median((0..arguments.rounds).map(speed))
}

#[expect(clippy::cast_precision_loss, reason = "these are few tokens")]
fn per_second(tokens: u64, elapsed: Duration) -> f64 {
    tokens as f64 / elapsed.as_secs_f64()
}

fn median(values: impl Iterator<Item = anyhow::Result<f64>>) -> anyhow::Result<f64> {
    let mut values = values.collect::<anyhow::Result<Vec<_>>>()?;
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}
