//! What a model file holds.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, HumanCount};
use zerohop::{ModelFileInfo, inspect as inspect_file};

use crate::model::LoadArguments;

/// Reads and checks the file's header; nothing is loaded.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The GGUF file
    file: PathBuf,
    /// Print a part in place of the summary
    #[arg(long, value_enum)]
    show: Option<Part>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// The metadata, long texts shortened
    Metadata,
    /// The tensors with type, shape and bytes
    Tensors,
    /// The chat template
    Template,
}

pub(crate) fn inspect(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let info = inspect_file(arguments.load.options(&arguments.file)?)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&info)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    match arguments.show {
        None => write_summary(&mut out, &info),
        Some(Part::Metadata) => write_metadata(&mut out, &info),
        Some(Part::Tensors) => write_tensors(&mut out, &info),
        Some(Part::Template) => writeln!(out, "{}", info.chat_template.as_deref().unwrap_or_default()),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn write_summary(out: &mut impl Write, info: &ModelFileInfo) -> io::Result<()> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let template = info.chat_template.as_ref().map_or("none".to_owned(), |text| format!("{} bytes", text.len()));
    let files = if info.files == 1 { String::new() } else { format!(" in {} files", info.files) };
    let memory = info.memory;
    let available = memory.available.map_or(String::new(), |bytes| format!("; {} available", HumanBytes(bytes)));
    let (weights, cache) = (HumanBytes(memory.weights), HumanBytes(memory.kv_cache));
    let cells = HumanCount(memory.context_length.into());
    for (name, value) in [
        ("name", or_dash(&info.name)),
        ("architecture", info.architecture.clone()),
        ("parameters", HumanCount(info.parameters).to_string()),
        ("quantization", or_dash(&info.quantization)),
        ("trained context", format!("{} tokens", HumanCount(info.trained_context_length.into()))),
        ("chat template", template),
        ("size", format!("{}{files}", HumanBytes(info.file_size))),
        ("tensors", info.tensors.len().to_string()),
        ("metadata", format!("{} entries", info.metadata.len())),
        ("memory", format!("{weights} weights, {cache} KV cache for {cells} tokens{available}")),
    ] {
        writeln!(out, "{name:16}{value}")?;
    }
    Ok(())
}

fn write_metadata(out: &mut impl Write, info: &ModelFileInfo) -> io::Result<()> {
    for (key, value) in &info.metadata {
        let text = value.to_string();
        let short: String = text.chars().take(100).collect();
        let dots = if short.len() < text.len() { "…" } else { "" };
        writeln!(out, "{key} = {short}{dots}")?;
    }
    Ok(())
}

fn write_tensors(out: &mut impl Write, info: &ModelFileInfo) -> io::Result<()> {
    for tensor in &info.tensors {
        let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
        writeln!(out, "{:40} {:6} {:>20} {:>12}", tensor.name, tensor.tensor_type, shape.join(" x "), tensor.bytes)?;
    }
    Ok(())
}
