//! Files of requests.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use zerohop::{BatchOptions, Engine};

use crate::model::{LoadArguments, NamedModel, with_bar};

/// The exit code is 1 where requests failed. Started again with the same files, a batch that was
/// stopped or killed goes on where it was.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The requests: JSON lines with custom_id, method, url and body
    input: PathBuf,
    /// Where to write the answers
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Where to write the requests that failed [default: OUTPUT with .errors before its extension]
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// A model, with the name that requests use for it; may be repeated
    #[arg(long, short, value_name = "NAME=FILE", required = true)]
    model: Vec<NamedModel>,
    /// The url that all requests must have
    #[arg(long, value_name = "PATH")]
    endpoint: Option<String>,
    /// Requests in flight at once [default: as many as keep the models busy]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    concurrency: usize,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArguments,
}

pub(crate) fn batch(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut builder = Engine::builder();
    let options = arguments.load.options_of(&arguments.model)?;
    for (model, options) in arguments.model.iter().zip(options) {
        builder = builder.model(&model.name, with_bar(options, &model.path));
    }
    let engine = builder.build()?;
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::no_length().with_style(style);
    let shown = bar.clone();
    let mut options = BatchOptions::new().concurrency(arguments.concurrency).progress(move |counts| {
        shown.set_length(counts.total);
        shown.set_position(counts.completed + counts.failed);
        if counts.failed > 0 {
            shown.set_message(format!("{} failed", counts.failed));
        }
        true
    });
    if let Some(path) = &arguments.errors {
        options = options.errors(path);
    }
    if let Some(endpoint) = &arguments.endpoint {
        options = options.endpoint(endpoint);
    }
    let counts = engine.batch(&arguments.input, &arguments.output, &options);
    bar.finish_and_clear();
    let counts = counts?;
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&counts)?)?;
    } else {
        writeln!(
            out,
            "{} of {} answered, {} failed, {} of these in earlier runs; {} tokens in, {} out",
            counts.completed, counts.total, counts.failed, counts.resumed, counts.input_tokens, counts.output_tokens
        )?;
    }
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
