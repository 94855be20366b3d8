//! A conversation in the terminal.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop::{CancelHandle, Engine, ErrorKind};

use crate::model::LoadArguments;
use crate::sampling::SamplingArguments;

/// A line is a message; `/clear` forgets the conversation, Ctrl-C stops an answer, Ctrl-D ends.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The GGUF file, a folder with one, or hf:OWNER/REPO:QUANT
    model: PathBuf,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    load: LoadArguments,
}

/// What Ctrl-C stops while an answer is written.
type Running = Arc<Mutex<Option<CancelHandle>>>;

pub(crate) fn chat(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let engine = arguments.load.engine(&arguments.model)?;
    let running = Running::default();
    stop_on_ctrl_c(running.clone())?;
    let mut editor = DefaultEditor::new()?;
    let mut messages = arguments.sampling.opening();
    loop {
        let line = match editor.readline("> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error.into()),
        };
        match line.trim() {
            "" => continue,
            "/clear" => {
                messages = arguments.sampling.opening();
                continue;
            }
            _ => {}
        }
        editor.add_history_entry(&line)?;
        messages.push(ChatCompletionMessage::user(line));
        match answer(&engine, &arguments.sampling.request(messages.clone()), &running) {
            Ok(text) => messages.push(ChatCompletionMessage::assistant(text)),
            Err(error) => {
                eprintln!("zerohop: {}", crate::explain(&error));
                messages.pop();
            }
        }
    }
}

/// Writes an answer as it is generated; what was written of it when Ctrl-C stopped it is the answer.
fn answer(engine: &Engine, request: &CreateChatCompletionRequest, running: &Running) -> anyhow::Result<String> {
    let stream = engine.chat().create_stream(request)?;
    *running.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.cancel_handle());
    let mut out = io::stdout().lock();
    let mut text = String::new();
    for chunk in stream {
        match chunk {
            Ok(chunk) => {
                let piece = chunk.text().unwrap_or_default();
                text.push_str(piece);
                out.write_all(piece.as_bytes())?;
                out.flush()?;
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => break,
            Err(error) => return Err(error.into()),
        }
    }
    running.lock().unwrap_or_else(PoisonError::into_inner).take();
    writeln!(out)?;
    Ok(text)
}

fn stop_on_ctrl_c(running: Running) -> anyhow::Result<()> {
    ctrlc::set_handler(move || match running.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(answer) => answer.cancel(),
        // Between answers the line editor sees Ctrl-C itself.
        None => std::process::exit(130),
    })?;
    Ok(())
}
