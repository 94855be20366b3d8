//! The `zerohop` command.
//!
//! Every command but `serve` is a few calls of the engine. Answers go to stdout, everything else to
//! stderr; the exit code is 0 for success, 1 for a failure, 2 for a wrong command line, 130 for
//! Ctrl-C.

#![allow(clippy::doc_markdown, reason = "documentation of arguments is the help, which is no Markdown")]
#![allow(clippy::print_stderr, reason = "stderr is for the people who use a command")]

mod batch;
mod bench;
mod chat;
mod embed;
mod hub;
mod image;
mod inspect;
mod model;
mod preview;
mod run;
mod sampling;
mod serve;
mod transcribe;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs GGUF models and speaks the OpenAI API, without a server in between.
#[derive(Debug, Parser)]
#[command(name = "zerohop", version = zerohop::version(), arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Talk with a model; the conversation is remembered.
    Chat(chat::Arguments),
    /// Answer one prompt, from the command line, files or stdin.
    Run(run::Arguments),
    /// Turn texts into vectors.
    Embed(embed::Arguments),
    /// Write down what is said in an audio file.
    Transcribe(transcribe::Arguments),
    /// Paint what a text says.
    Image(image::Arguments),
    /// Answer a file of requests, in the format of OpenAI's Batch API.
    Batch(batch::Arguments),
    /// Show what a GGUF file holds and the memory it needs.
    Inspect(inspect::Arguments),
    /// Download a model from the Hugging Face hub.
    Pull(hub::PullArguments),
    /// List the models of the hub's cache on this machine.
    Models(hub::ModelsArguments),
    /// Measure how fast a model computes here.
    Bench(bench::Arguments),
    /// Compute for an engine in another process, over stdin and stdout.
    #[command(hide = true)]
    Worker,
    /// Serve models to programs in languages without a binding, over HTTP on this machine.
    Serve(serve::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Chat(arguments) => chat::chat(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Embed(arguments) => embed::embed(&arguments),
        Command::Transcribe(arguments) => transcribe::transcribe(&arguments),
        Command::Image(arguments) => image::image(&arguments),
        Command::Batch(arguments) => batch::batch(&arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::Pull(arguments) => hub::pull(&arguments),
        Command::Models(arguments) => hub::models(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Worker => worker(),
        Command::Serve(arguments) => serve::serve(arguments),
    };
    match result {
        Ok(code) => code,
        // Who reads our output has had enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zerohop: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// What went wrong and why, without what the engine's messages say of their causes already.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn worker() -> anyhow::Result<ExitCode> {
    zerohop::run_worker(io::stdin().lock(), io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let written = error.downcast_ref::<io::Error>().map(io::Error::kind);
    let written = written.or_else(|| error.downcast_ref::<serde_json::Error>()?.io_error_kind());
    written == Some(io::ErrorKind::BrokenPipe)
}
