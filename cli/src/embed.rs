//! Texts to vectors.

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use zerohop::Engine;
use zerohop::types::CreateEmbeddingRequest;

use crate::model::{LoadArguments, MODEL};

/// Texts of one request: what a request may have at most.
const TEXTS: usize = 2048;

/// Prints a line of JSON for each text: an array of numbers, of length 1 as a vector.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An embedding model: a GGUF file, a folder with one, or hf:OWNER/REPO:QUANT
    model: PathBuf,
    /// The texts; without any, each line of stdin is one
    texts: Vec<String>,
    /// Keep this many numbers of each vector
    #[arg(long, value_name = "N")]
    dimensions: Option<u32>,
    /// Print objects with the text and its vector
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArguments,
}

pub(crate) fn embed(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let engine = arguments.load.engine(&arguments.model)?;
    if arguments.texts.is_empty() {
        let mut lines = BufReader::new(io::stdin()).lines();
        loop {
            let texts =
                lines.by_ref().take(TEXTS).collect::<Result<Vec<_>, _>>().context("stdin cannot be read as text")?;
            if texts.is_empty() {
                break;
            }
            write_vectors(&engine, arguments, &texts)?;
        }
    } else {
        for texts in arguments.texts.chunks(TEXTS) {
            write_vectors(&engine, arguments, texts)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_vectors(engine: &Engine, arguments: &Arguments, texts: &[String]) -> anyhow::Result<()> {
    let mut request = CreateEmbeddingRequest::new(MODEL, texts.to_vec());
    request.dimensions = arguments.dimensions;
    let reply = engine.embeddings().create(&request)?;
    let mut out = io::stdout().lock();
    for (text, embedding) in texts.iter().zip(&reply.data) {
        let vector = &embedding.embedding.values;
        if arguments.json {
            serde_json::to_writer(&mut out, &serde_json::json!({"text": text, "embedding": vector}))?;
        } else {
            serde_json::to_writer(&mut out, vector)?;
        }
        writeln!(out)?;
    }
    Ok(())
}
