//! Models of the Hugging Face hub.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;

use crate::model::bar;

/// What is there already is not fetched again; what was broken off goes on. `HF_HOME`, `HF_ENDPOINT`,
/// `HF_TOKEN` and `HF_HUB_OFFLINE` are heeded.
#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// hf:OWNER/REPO, then :Q4_K_M or another part of a file's name, then @REVISION
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArguments {
    /// Print objects with name, path and size
    #[arg(long)]
    json: bool,
}

pub(crate) fn pull(arguments: &PullArguments) -> anyhow::Result<ExitCode> {
    let path = zerohop::pull(&arguments.name, bar(Path::new(&arguments.name)))?;
    writeln!(io::stdout(), "{}", path.display())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn models(arguments: &ModelsArguments) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for model in zerohop::cached_models()? {
        if arguments.json {
            writeln!(out, "{}", serde_json::to_string(&model)?)?;
        } else {
            writeln!(out, "{:60} {:>12}", model.name, HumanBytes(model.file_size).to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
