//! Prints what the prefix cache and speculation save: time to the first token behind a shared beginning, in the
//! same process and after a restart, and the time of conversations and of an edit, with and without.
//!
//! `cargo run --release -p zerohop-bench --bin prefix -- MODEL.gguf [ROUNDS]`, or `make bench`; with
//! `--draft MODEL.gguf DRAFT.gguf [ROUNDS]`, what a draft model saves. Each measurement runs in a process of its
//! own, in turn with what it is compared with; figures are medians, in seconds.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::Command;
use std::time::Instant;

use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop::{Engine, ModelOptions, Repack};
use zerohop_bench::Error;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--measure", kind, model, way] => {
            let engine = Engine::builder().model("bench", options(kind, model, way)).build()?;
            let figures = match kind {
                "shared" => shared(&engine)?,
                "restart" => vec![shared(&engine)?[0]],
                "chat" => vec![chat(&engine)?],
                "draft" => vec![story(&engine)?],
                _ => vec![edit(&engine)?],
            };
            engine.close();
            println!("{}", figures.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
            Ok(())
        }
        ["--draft", model, draft] => report_draft(model, draft, 5),
        ["--draft", model, draft, rounds] => report_draft(model, draft, rounds.parse()?),
        [model] => report(model, 5),
        [model, rounds] => report(model, rounds.parse()?),
        _ => Err("usage: prefix MODEL.gguf [ROUNDS]".into()),
    }
}

/// `way` says whether what is measured is on; a folder for `restart`, a file for `draft`.
fn options(kind: &str, model: &str, way: &str) -> ModelOptions {
    let options = ModelOptions::new(model).repack(Repack::On).speculation(kind == "edit" && way == "on");
    match (kind, way) {
        (_, "off") => options.prefix_cache(false),
        ("restart", folder) => options.prefix_cache_folder(folder),
        ("draft", file) => options.draft_model(file),
        _ => options,
    }
}

fn report(model: &str, rounds: usize) -> Result<(), Error> {
    let [mut first, mut second] = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        let figures = in_child("shared", model, "on")?;
        first.push(figures[0]);
        second.push(figures[1]);
    }
    compare("first token behind 1,000 shared tokens", first, second);
    let folder = std::env::temp_dir().join(format!("zerohop-bench-{}", std::process::id()));
    let saved = folder.to_str().ok_or("the folder for temporary files is not UTF-8")?;
    let [mut first, mut second] = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        first.push(in_child("restart", model, saved)?[0]);
        second.push(in_child("restart", model, saved)?[0]);
        std::fs::remove_dir_all(&folder)?;
    }
    compare("the same in the next process", first, second);
    for (kind, name) in [("chat", "a conversation of 6 turns"), ("edit", "an edit of a file, with speculation")] {
        let [mut without, mut with] = [const { Vec::new() }; 2];
        for _ in 0..rounds {
            without.push(in_child(kind, model, if kind == "chat" { "off" } else { "plain" })?[0]);
            with.push(in_child(kind, model, "on")?[0]);
        }
        compare(name, without, with);
    }
    Ok(())
}

fn report_draft(model: &str, draft: &str, rounds: usize) -> Result<(), Error> {
    let [mut without, mut with] = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        without.push(in_child("draft", model, "off")?[0]);
        with.push(in_child("draft", model, draft)?[0]);
    }
    compare("an answer, with a draft model", without, with);
    Ok(())
}

fn compare(name: &str, without: Vec<f64>, with: Vec<f64>) {
    let [without, with] = [without, with].map(|mut figures| {
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    });
    println!("  {name:40} {without:7.3} s, then {with:7.3} s   {:.3} of it", with / without);
}

fn in_child(kind: &str, model: &str, way: &str) -> Result<Vec<f64>, Error> {
    let output = Command::new(std::env::current_exe()?).args(["--measure", kind, model, way]).output()?;
    if !output.status.success() {
        return Err(format!("measuring {kind} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let figures = String::from_utf8(output.stdout)?;
    Ok(figures.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

fn request(messages: Vec<ChatCompletionMessage>, tokens: u32) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest::new("bench", messages).temperature(0.0).max_completion_tokens(tokens)
}

/// The time to the first token of two requests with 1,000 tokens in common, the first of which computes them.
fn shared(engine: &Engine) -> Result<Vec<f64>, Error> {
    let instructions: Vec<String> = (0..330).map(|word| format!("w{}", word * 7 % 100)).collect();
    let ask = |question: &str| {
        let messages =
            vec![ChatCompletionMessage::system(instructions.join(" ")), ChatCompletionMessage::user(question)];
        let started = Instant::now();
        let mut chunks = engine.chat().create_stream(&request(messages, 4))?;
        chunks.next().transpose()?;
        let time = started.elapsed().as_secs_f64();
        chunks.try_for_each(|chunk| chunk.map(|_| ()))?;
        Ok::<_, Error>(time)
    };
    engine.chat().create(&request(vec![ChatCompletionMessage::user("Hello")], 4))?;
    Ok(vec![ask("What is the first word?")?, ask("And the last?")?])
}

/// The time of a conversation.
fn chat(engine: &Engine) -> Result<f64, Error> {
    let mut messages = vec![ChatCompletionMessage::system("You are a patient teacher of history. ".repeat(20))];
    let started = Instant::now();
    for turn in 1..=6 {
        messages.push(ChatCompletionMessage::user(format!("Tell me a part {turn} of the story of Rome, in detail.")));
        let reply = engine.chat().create(&request(messages.clone(), 32))?;
        let answer = reply.choices[0].message.content.clone().unwrap_or_default();
        messages.push(ChatCompletionMessage::assistant(answer));
    }
    Ok(started.elapsed().as_secs_f64())
}

/// The time of an answer that repeats nothing.
fn story(engine: &Engine) -> Result<f64, Error> {
    let question = "Write a Python class for a bank account with deposits, withdrawals and a history, and explain it.";
    let started = Instant::now();
    engine.chat().create(&request(vec![ChatCompletionMessage::user(question)], 160))?;
    Ok(started.elapsed().as_secs_f64())
}

/// The time of an answer that repeats most of its prompt.
fn edit(engine: &Engine) -> Result<f64, Error> {
    let steps = (1..16).map(|number| format!("def step_{number}(value):\n    return value * {number} + offset\n"));
    let file = steps.collect::<Vec<_>>().join("\n");
    let question = format!("Repeat this file with `offset` renamed to `shift`, and nothing else:\n\n{file}");
    let started = Instant::now();
    engine.chat().create(&request(vec![ChatCompletionMessage::user(question)], 200))?;
    Ok(started.elapsed().as_secs_f64())
}
