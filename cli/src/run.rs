//! One prompt, one answer.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use zerohop::types::{ChatCompletionMessage, JsonSchema};

use crate::model::LoadArguments;
use crate::sampling::SamplingArguments;

/// Text from files and stdin is put after the prompt, in the order it was given.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The GGUF file, a folder with one, or hf:OWNER/REPO:QUANT
    model: PathBuf,
    /// What to ask; `-` or nothing reads stdin
    prompt: Option<String>,
    /// Files whose text belongs to the prompt
    #[arg(long, short, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// A file with a JSON schema that the answer must satisfy
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Print the whole reply as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    load: LoadArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let prompt = prompt(arguments)?;
    let mut messages = arguments.sampling.opening();
    messages.push(ChatCompletionMessage::user(prompt));
    let mut request = arguments.sampling.request(messages);
    if let Some(path) = &arguments.schema {
        let schema =
            serde_json::from_str(&read(path)?).with_context(|| format!("{}: the schema is no JSON", path.display()))?;
        request = request.response_format(JsonSchema::new("answer", schema));
    }
    let engine = arguments.load.engine(&arguments.model)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &engine.chat().create(&request)?)?;
    } else {
        for chunk in engine.chat().create_stream(&request)? {
            out.write_all(chunk?.text().unwrap_or_default().as_bytes())?;
            out.flush()?;
        }
    }
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

fn prompt(arguments: &Arguments) -> anyhow::Result<String> {
    let mut parts = Vec::new();
    let asks_stdin = arguments.prompt.as_deref() == Some("-");
    if let Some(prompt) = arguments.prompt.as_ref().filter(|_| !asks_stdin) {
        parts.push(prompt.clone());
    }
    for path in &arguments.file {
        parts.push(read(path)?);
    }
    if asks_stdin || parts.is_empty() {
        if io::stdin().is_terminal() {
            bail!("no prompt: give one, name a --file, or pipe text in");
        }
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("stdin cannot be read as text")?;
        parts.push(text);
    }
    Ok(parts.join("\n\n"))
}

/// A file's text.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read as text", path.display()))
}
