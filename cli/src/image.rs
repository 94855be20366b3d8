//! Images of texts.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use zerohop::types::{CreateImageRequest, ImageFormat, ImageSize};

use crate::model::{LoadArguments, MODEL};
use crate::preview;

/// Writes PNG, JPEG or WebP, as the name of the file ends, and shows it in a terminal.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What the image is to show
    prompt: String,
    /// A checkpoint: a file, or a folder with its parts
    #[arg(long, short)]
    model: PathBuf,
    /// Where to write the image; of several, the second is called NAME-2, and so on
    #[arg(long, short, value_name = "FILE", default_value = "image.png")]
    output: PathBuf,
    /// Width and height such as 512x512 [default: the model's]
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
    /// How many images, up to 10
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 1)]
    count: u32,
    /// The same seed gives the same image [default: chance]
    #[arg(long)]
    seed: Option<u64>,
    /// Steps from noise to image [default: the model's]
    #[arg(long)]
    steps: Option<u32>,
    /// How closely the prompt is followed [default: the model's]
    #[arg(long, value_name = "SCALE")]
    cfg_scale: Option<f32>,
    /// What removes the noise, such as euler or dpm++2m [default: the model's]
    #[arg(long)]
    sampler: Option<String>,
    /// What the image is not to show
    #[arg(long, value_name = "TEXT")]
    negative_prompt: Option<String>,
    /// Only write the image, even in a terminal
    #[arg(long)]
    no_preview: bool,
    #[command(flatten)]
    load: LoadArguments,
}

pub(crate) fn image(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut request = CreateImageRequest::new(MODEL, &arguments.prompt);
    let options = &mut request.options;
    options.n = Some(arguments.count);
    options.size = arguments.size.as_deref().map(read_size).transpose()?;
    options.output_format = Some(format_of(&arguments.output)?);
    options.seed = arguments.seed;
    options.steps = arguments.steps;
    options.cfg_scale = arguments.cfg_scale;
    options.sampler.clone_from(&arguments.sampler);
    options.negative_prompt.clone_from(&arguments.negative_prompt);

    let engine = arguments.load.engine(&arguments.model)?;
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").context("the bar's template")?;
    let bar = ProgressBar::no_length().with_style(style).with_message("painting");
    let reply = engine.images().create_with_progress(&request, |step, steps| {
        if steps > 0 {
            bar.set_length(steps.into());
            bar.set_position(step.into());
        }
        true
    });
    bar.finish_and_clear();
    for (number, image) in (1..).zip(reply?.data) {
        let path = numbered(&arguments.output, number);
        let file = BASE64_STANDARD.decode(image.b64_json).context("the image is no base64")?;
        fs::write(&path, &file).with_context(|| path.display().to_string())?;
        if !arguments.no_preview && preview::is_possible() {
            preview::show(&file)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_size(text: &str) -> anyhow::Result<ImageSize> {
    serde_json::from_value(text.into()).with_context(|| format!("--size {text}"))
}

fn format_of(path: &Path) -> anyhow::Result<ImageFormat> {
    match path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).as_deref() {
        Some("png") => Ok(ImageFormat::Png),
        Some("jpg" | "jpeg") => Ok(ImageFormat::Jpeg),
        Some("webp") => Ok(ImageFormat::Webp),
        _ => anyhow::bail!("{}: the name has to end with .png, .jpg or .webp", path.display()),
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.{ending}"))
}
