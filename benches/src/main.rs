//! Prints what zerohop costs over a bare llama-cpp-2 loop, what batching gains, and
//! what a schema costs or gains.
//!
//! `cargo run --release -p zerohop-bench -- MODEL.gguf [ROUNDS]`, or `make bench`. With
//! `--repack` before the model: what our CPU kernels gain over llama.cpp's.
//!
//! Each measurement runs in a process of its own, the kinds in turn, because
//! OpenMP slows down once a process has two teams of threads; the figures are
//! medians, to be read as ratios within one run.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest, JsonSchema};
use zerohop::{Engine, ModelOptions, Repack};
use zerohop_bench::{Bare, Error, embed};

/// Tokens of each answer.
const TOKENS: u32 = 64;
/// Callers at once.
const CALLERS: u32 = 16;

/// What is measured, in tokens per second.
#[derive(Clone, Copy)]
enum Kind {
    /// Generating one answer in the bare loop.
    Bare,
    /// Whole answers in the bare loop, one after another.
    BareOne,
    /// Whole answers in the bare loop, all in the same batches.
    BareMany,
    /// Generating one streamed answer.
    Stream,
    /// Whole calls one after another.
    OneCaller,
    /// Whole calls from many threads at once.
    ManyCallers,
    /// Whole calls one after another, for JSON that nothing holds to a schema.
    Plain,
    /// The same, with a schema.
    Schema,
    /// Computing prompts of about 512 tokens.
    Prompt,
    /// Whole calls from fewer threads at once.
    SomeCallers,
    /// Whole calls from more threads at once.
    MoreCallers,
    /// Of streams in as many threads, the 99th percentile of the times between chunks over their median.
    Waits,
    /// Generating one streamed answer while other threads of the process keep all processors busy.
    BusyHost,
    /// The same as one stream in each of two engines, both together.
    TwoEngines,
}

const KINDS: [(&str, Kind); 14] = [
    ("bare", Kind::Bare),
    ("bare-one", Kind::BareOne),
    ("bare-many", Kind::BareMany),
    ("stream", Kind::Stream),
    ("one-caller", Kind::OneCaller),
    ("many-callers", Kind::ManyCallers),
    ("plain", Kind::Plain),
    ("schema", Kind::Schema),
    ("busy-host", Kind::BusyHost),
    ("two-engines", Kind::TwoEngines),
    ("waits", Kind::Waits),
    ("prompt", Kind::Prompt),
    ("some-callers", Kind::SomeCallers),
    ("more-callers", Kind::MoreCallers),
];

/// What depends on the kernels most, as kinds, and as people say it.
const REPACK_KINDS: [(&str, &str); 5] = [
    ("prompt", "prompts of 512 tokens"),
    ("stream", "one stream"),
    ("some-callers", "8 callers"),
    ("many-callers", "16 callers"),
    ("more-callers", "32 callers"),
];

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--measure", kind, model, repack] => {
            let (_, kind) = KINDS.iter().find(|(name, _)| *name == kind).ok_or("no such kind")?;
            let repack = if repack == "off" { Repack::Off } else { Repack::On };
            println!("{}", measure(*kind, model, repack)?);
            Ok(())
        }
        ["--embed", which, model, texts, out] => {
            println!("{}", embed::measure(which == "bare", model, texts, out)?);
            Ok(())
        }
        ["--repack", model] => report_repack(model, 5),
        ["--repack", model, rounds] => report_repack(model, rounds.parse()?),
        [model] => report(model, 5),
        [model, rounds] => report(model, rounds.parse()?),
        _ => Err("usage: zerohop-bench MODEL.gguf [ROUNDS]".into()),
    }
}

/// Our kernels against llama.cpp's, in turn.
fn report_repack(model: &str, rounds: usize) -> Result<(), Error> {
    println!("{model}: tokens per second, median of {rounds} rounds: llama.cpp's kernels, ours");
    for (kind, name) in REPACK_KINDS {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            theirs.push(measure_in_child(kind, model, "off")?);
            ours.push(measure_in_child(kind, model, "on")?);
        }
        let (theirs, ours) = (median(theirs), median(ours));
        println!("  {name:22} {theirs:7.1} {ours:7.1}   {:.2} times", ours / theirs);
    }
    Ok(())
}

fn report(model: &str, rounds: usize) -> Result<(), Error> {
    let kinds = &KINDS[..11];
    let mut figures = [const { Vec::new() }; 11];
    for _ in 0..rounds {
        for ((name, _), figures) in kinds.iter().zip(&mut figures) {
            figures.push(measure_in_child(name, model, "on")?);
        }
    }
    let [bare, bare_one, bare_many, stream, one, many, plain, schema, busy, two, waits] = figures.map(median);
    println!("{TOKENS} tokens an answer, {CALLERS} callers, median of {rounds} rounds, tokens per second:");
    println!("  bare loop, generating       {bare:7.1}");
    println!("  one stream, generating      {stream:7.1}   {:.2} of the bare loop", stream / bare);
    println!("  bare loop, one after another{bare_one:7.1}");
    println!(
        "  bare loop, {CALLERS} in a batch    {bare_many:7.1}   {:.2} times one after another",
        bare_many / bare_one
    );
    println!("  one caller, whole calls     {one:7.1}   {:.2} of the bare loop", one / bare_one);
    println!(
        "  {CALLERS} callers, whole calls    {many:7.1}   {:.2} times one caller, {:.2} of the bare loop",
        many / one,
        many / bare_many
    );
    println!("  JSON without a schema       {plain:7.1}");
    println!("  JSON with a schema          {schema:7.1}   {:.2} of without", schema / plain);
    println!("  one stream, busy host       {busy:7.1}   {:.2} of one stream", busy / stream);
    println!("  two engines, one stream each{two:7.1}   {:.2} of one stream", two / stream);
    println!("  {} callers' streams: a chunk in a hundred waits {waits:.2} times as long as the median", 2 * CALLERS);
    Ok(())
}

fn measure_in_child(kind: &str, model: &str, repack: &str) -> Result<f64, Error> {
    let output = Command::new(std::env::current_exe()?).args(["--measure", kind, model, repack]).output()?;
    if !output.status.success() {
        return Err(format!("measuring {kind} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn measure(kind: Kind, model: &str, repack: Repack) -> Result<f64, Error> {
    let engine = |model| Engine::builder().model("bench", ModelOptions::new(model).repack(repack).parallel(32)).build();
    match kind {
        Kind::Bare => bare(model),
        Kind::BareOne => bare_answers(model, 4, 1),
        Kind::BareMany => bare_answers(model, 2 * CALLERS, CALLERS),
        Kind::Stream => stream(&engine(model)?),
        Kind::OneCaller => callers(&engine(model)?, 1),
        Kind::ManyCallers => callers(&engine(model)?, CALLERS as usize),
        Kind::Plain => json_answers(&engine(model)?, &json_request()),
        Kind::Schema => json_answers(&engine(model)?, &json_request().response_format(people())),
        Kind::Prompt => prompts(&engine(model)?),
        Kind::SomeCallers => callers(&engine(model)?, CALLERS as usize / 2),
        Kind::MoreCallers => callers(&engine(model)?, CALLERS as usize * 2),
        Kind::Waits => waits(&engine(model)?, CALLERS as usize * 2),
        Kind::BusyHost => on_a_busy_host(|| stream(&engine(model)?)),
        Kind::TwoEngines => two_streams(&engine(model)?, &engine(model)?),
    }
}

/// Asks for a long answer, so that none ends before its limit.
fn question(index: usize) -> String {
    let topics = ["lists", "the moon", "bread", "chess", "volcanoes", "sailing", "jazz", "rivers"];
    format!("Write a very long story about {} and the number {index}.", topics[index % topics.len()])
}

fn request(index: usize) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest::new("bench", [ChatCompletionMessage::user(question(index))])
        .temperature(0.0)
        .max_completion_tokens(TOKENS)
}

fn threads() -> Result<i32, Error> {
    Ok(i32::try_from(std::thread::available_parallelism()?.get())?)
}

/// A question as Qwen's template renders it.
fn prompt(index: usize) -> String {
    format!(
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n\
         <|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
        question(index)
    )
}

/// Whole answers, `together` at a time.
fn bare_answers(model: &str, answers: u32, together: u32) -> Result<f64, Error> {
    let bare = Bare::load(model)?;
    let prompts: Vec<_> = (0..answers as usize).map(|index| bare.tokenize(&prompt(index))).collect();
    let started = Instant::now();
    for prompts in prompts.chunks(together as usize) {
        bare.answer_together(prompts, TOKENS as usize, threads()?)?;
    }
    Ok(f64::from(TOKENS * answers) / started.elapsed().as_secs_f64())
}

fn bare(model: &str) -> Result<f64, Error> {
    let bare = Bare::load(model)?;
    let mut run = bare.start(&bare.tokenize(&prompt(0)), TOKENS as usize, threads()?)?;
    let started = Instant::now();
    for _ in 1..TOKENS {
        run.step()?;
    }
    Ok(f64::from(TOKENS - 1) / started.elapsed().as_secs_f64())
}

/// Prompts that have next to nothing in common.
fn prompts(engine: &Engine) -> Result<f64, Error> {
    let ask = |number: usize| {
        let words: Vec<String> = (0..165).map(|word| format!("w{}", (word * 7 + number * 31) % 100)).collect();
        let message = ChatCompletionMessage::user(words.join(" "));
        let request = CreateChatCompletionRequest::new("bench", [message]).temperature(0.0).max_completion_tokens(1);
        Ok::<_, Error>(engine.chat().create(&request)?.usage.prompt_tokens)
    };
    ask(0)?;
    let started = Instant::now();
    let tokens: u32 = (1..4).map(ask).sum::<Result<_, _>>()?;
    Ok(f64::from(tokens) / started.elapsed().as_secs_f64())
}

/// From the first text to the end.
fn stream(engine: &Engine) -> Result<f64, Error> {
    let mut chunks = engine.chat().create_stream(&request(0))?;
    let _role = chunks.next().transpose()?;
    let started = Instant::now();
    let mut texts = 0u32;
    for chunk in chunks {
        texts += u32::from(chunk?.text().is_some());
    }
    // The first text is there with the role; the bare loop's first token is not
    // timed either.
    Ok(f64::from(texts.max(TOKENS) - 1) / started.elapsed().as_secs_f64())
}

/// Measures while a thread for each processor computes something else.
fn on_a_busy_host(measure: impl FnOnce() -> Result<f64, Error>) -> Result<f64, Error> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads()? {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let measured = measure();
        over.store(true, Ordering::Relaxed);
        measured
    })
}

fn two_streams(one: &Engine, other: &Engine) -> Result<f64, Error> {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| stream(other).map_err(|error| error.to_string()));
        let one = stream(one)?;
        Ok(one + other.join().expect("measuring does not panic")?)
    })
}

/// Asks for more JSON than the limit lets through, so that all answers are of one
/// length.
fn json_request() -> CreateChatCompletionRequest {
    let question = "Write a JSON array of 20 people, each with first_name, last_name, occupation and age_in_years.";
    let request = CreateChatCompletionRequest::new("bench", [ChatCompletionMessage::user(question)]);
    request.temperature(0.0).max_completion_tokens(2 * TOKENS).ignore_eos(true)
}

fn people() -> JsonSchema {
    let schema = serde_json::json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "first_name": {"type": "string"},
                "last_name": {"type": "string"},
                "occupation": {"type": "string"},
                "age_in_years": {"type": "integer"},
            },
            "required": ["first_name", "last_name", "occupation", "age_in_years"],
            "additionalProperties": false,
        },
        "minItems": 20,
    });
    JsonSchema::new("people", schema)
}

/// Whole answers; the first, which compiles the schema, is not timed.
fn json_answers(engine: &Engine, request: &CreateChatCompletionRequest) -> Result<f64, Error> {
    let answer = || Ok::<_, zerohop::Error>(engine.chat().create(request)?.usage.completion_tokens);
    answer()?;
    let started = Instant::now();
    let tokens = answer()? + answer()? + answer()?;
    Ok(f64::from(tokens) / started.elapsed().as_secs_f64())
}

fn callers(engine: &Engine, callers: usize) -> Result<f64, Error> {
    let calls = if callers == 1 { 4 } else { 2 };
    let started = Instant::now();
    let tokens = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|caller| {
                scope.spawn(move || {
                    (0..calls)
                        .map(|call| {
                            let reply = engine.chat().create(&request(caller * calls + call))?;
                            Ok(reply.usage.completion_tokens)
                        })
                        .sum::<Result<u32, zerohop::Error>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no caller panics")).sum::<Result<u32, _>>()
    })?;
    Ok(f64::from(tokens) / started.elapsed().as_secs_f64())
}

/// Of two streams of each caller's, one after the other. The first chunk waits for the prompt, and is not counted.
fn waits(engine: &Engine, callers: usize) -> Result<f64, Error> {
    let waits_of = |index: usize| {
        let mut chunks = engine.chat().create_stream(&request(index))?;
        let _role = chunks.next().transpose()?;
        let mut last = Instant::now();
        let mut waits = Vec::new();
        for chunk in chunks {
            if chunk?.text().is_some() {
                waits.push(last.elapsed().as_secs_f64());
                last = Instant::now();
            }
        }
        Ok::<_, zerohop::Error>(waits)
    };
    let mut all = std::thread::scope(|scope| {
        let run = |caller: usize| Ok([waits_of(2 * caller)?, waits_of(2 * caller + 1)?].concat());
        let threads: Vec<_> = (0..callers).map(|caller| scope.spawn(move || run(caller))).collect();
        let waits = threads.into_iter().map(|thread| thread.join().expect("no caller panics"));
        waits.collect::<Result<Vec<_>, zerohop::Error>>()
    })?
    .concat();
    all.sort_by(f64::total_cmp);
    Ok(all[all.len() * 99 / 100] / all[all.len() / 2])
}
