//! Which model to use and how to load it: options that all commands share.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use zerohop::{Engine, FlashAttention, GpuLayers, KvType, ModelOptions, Repack};

/// The name of a command's only model in requests.
pub(crate) const MODEL: &str = "model";

/// How a model is loaded.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model options")]
pub(crate) struct LoadArguments {
    /// Tokens that all running requests share [default: the model's own, at most 8192]
    #[arg(long, value_name = "TOKENS", default_value_t = 0, hide_default_value = true)]
    context_length: u32,
    /// Threads to compute with [default: one a processor]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: u32,
    /// Requests computed together [default: 16]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    parallel: u32,
    /// Layers to put on GPUs: a number, `all`, or as many as fit
    #[arg(long, value_name = "N", default_value = "auto", value_parser = gpu_layers)]
    gpu_layers: GpuLayers,
    /// A GPU to use, by its name; may be given repeatedly [default: all]
    #[arg(long = "device", value_name = "NAME")]
    devices: Vec<String>,
    /// How much each of the GPUs gets, such as 3,1
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    tensor_split: Vec<f32>,
    /// MiB that stay free on each GPU where as many layers as fit are put there [default: 1024]
    #[arg(long, value_name = "MIB")]
    gpu_margin: Option<u32>,
    /// Layers, counted from the first, whose experts stay on the CPU: a number, or `all`
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, value_parser = cpu_moe_layers)]
    cpu_moe_layers: u32,
    /// Whether attention is computed in one operation
    #[arg(long, value_enum, default_value = "auto")]
    flash_attention: FlashAttentionArgument,
    /// The numeric type of the KV cache
    #[arg(long, value_enum, default_value = "f16")]
    kv_type: KvTypeArgument,
    /// Whether to copy the weights into the layout that the CPU kernels work best with
    #[arg(long, value_enum, default_value = "auto")]
    repack: RepackArgument,
    /// A file with a Jinja chat template in place of the model's own
    #[arg(long, value_name = "FILE")]
    chat_template: Option<PathBuf>,
    /// A LoRA adapter to apply, perhaps to a scale other than 1, and to one of several models only; may
    /// be given repeatedly
    #[arg(long = "adapter", value_name = "[MODEL=]FILE[:SCALE]")]
    adapters: Vec<AdapterArgument>,
    /// The projector with which the model sees or hears, perhaps of one of several models only; may be
    /// given repeatedly [default: the only mmproj*.gguf beside the model]
    #[arg(long = "projector", value_name = "[MODEL=]FILE")]
    projectors: Vec<ProjectorArgument>,
    /// The most tokens that an image has [default: the projector's own]
    #[arg(long, value_name = "TOKENS")]
    image_max_tokens: Option<NonZeroU32>,
    /// A smaller model with the same vocabulary that drafts what the model will say
    #[arg(long, value_name = "FILE")]
    draft_model: Option<PathBuf>,
    /// A folder in which what the prefix cache keeps is saved from one run to the next
    #[arg(long, value_name = "FOLDER")]
    prefix_cache_folder: Option<PathBuf>,
    /// A folder whose images requests may name with file: URLs
    #[arg(long, value_name = "FOLDER")]
    media_folder: Option<PathBuf>,
}

/// A projector, and of which model: all, if none is named.
#[derive(Debug, Clone, PartialEq)]
struct ProjectorArgument {
    model: Option<String>,
    path: PathBuf,
}

impl FromStr for ProjectorArgument {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once('=') {
            Some((model, path)) => ProjectorArgument { model: Some(model.to_owned()), path: path.into() },
            None => ProjectorArgument { model: None, path: text.into() },
        })
    }
}

/// An adapter, how strongly it is applied, and to which model: all, if none is named.
#[derive(Debug, Clone, PartialEq)]
struct AdapterArgument {
    model: Option<String>,
    path: PathBuf,
    scale: f32,
}

impl FromStr for AdapterArgument {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (model, rest) = match text.split_once('=') {
            Some((model, rest)) => (Some(model.to_owned()), rest),
            None => (None, text),
        };
        // Names on the hub have colons too, before what is no number.
        let scaled = rest.rsplit_once(':').and_then(|(path, scale)| Some((path, scale.parse().ok()?)));
        let (path, scale) = scaled.unwrap_or((rest, 1.0));
        Ok(AdapterArgument { model, path: path.into(), scale })
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum KvTypeArgument {
    F32,
    F16,
    #[value(name = "q8_0")]
    Q8,
    #[value(name = "q4_0")]
    Q4,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FlashAttentionArgument {
    Auto,
    On,
    Off,
}

fn gpu_layers(text: &str) -> Result<GpuLayers, String> {
    match text {
        "auto" => Ok(GpuLayers::Auto),
        "all" => Ok(GpuLayers::All),
        number => number.parse().map(GpuLayers::Count).map_err(|_| "a number, all or auto is wanted".to_owned()),
    }
}

fn cpu_moe_layers(text: &str) -> Result<u32, String> {
    match text {
        "all" => Ok(u32::MAX),
        number => number.parse().map_err(|_| "a number or all is wanted".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RepackArgument {
    Auto,
    On,
    Off,
}

/// A model by the name that requests use: `NAME=FILE`, or a file whose name without the suffix is it.
#[derive(Debug, Clone)]
pub(crate) struct NamedModel {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl FromStr for NamedModel {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some((name, path)) = text.split_once('=') {
            return Ok(NamedModel { name: name.to_owned(), path: path.into() });
        }
        let path = PathBuf::from(text);
        let name = path.file_stem().ok_or_else(|| anyhow::anyhow!("{text} names no file"))?;
        Ok(NamedModel { name: name.to_string_lossy().into_owned(), path })
    }
}

impl LoadArguments {
    /// The options for several models.
    ///
    /// # Errors
    ///
    /// When an adapter or projector is for none of them, or the template cannot be read.
    pub(crate) fn options_of(&self, models: &[NamedModel]) -> anyhow::Result<Vec<ModelOptions>> {
        for (option, name) in self.named() {
            anyhow::ensure!(models.iter().any(|model| model.name == *name), "{option}: there is no model {name}");
        }
        models.iter().map(|model| self.named_options(Some(&model.name), &model.path)).collect()
    }

    /// The options for the only model, at `path`.
    pub(crate) fn options(&self, path: &Path) -> anyhow::Result<ModelOptions> {
        if let Some((option, name)) = self.named().next() {
            anyhow::bail!("{option}: the only model has no name, so it is not {name}");
        }
        self.named_options(None, path)
    }

    /// The models that options name, each with the option.
    fn named(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let adapters = self.adapters.iter().map(|adapter| ("--adapter", adapter.model.as_ref()));
        let projectors = self.projectors.iter().map(|projector| ("--projector", projector.model.as_ref()));
        adapters.chain(projectors).filter_map(|(option, name)| Some((option, name?)))
    }

    fn named_options(&self, name: Option<&str>, path: &Path) -> anyhow::Result<ModelOptions> {
        let mut options = ModelOptions::new(path)
            .context_length(self.context_length)
            .threads(self.threads)
            .parallel(self.parallel)
            .gpu_layers(self.gpu_layers)
            .devices(&self.devices)
            .tensor_split(&self.tensor_split[..])
            .cpu_moe_layers(self.cpu_moe_layers)
            .flash_attention(match self.flash_attention {
                FlashAttentionArgument::Auto => FlashAttention::Auto,
                FlashAttentionArgument::On => FlashAttention::On,
                FlashAttentionArgument::Off => FlashAttention::Off,
            })
            .kv_type(match self.kv_type {
                KvTypeArgument::F32 => KvType::F32,
                KvTypeArgument::F16 => KvType::F16,
                KvTypeArgument::Q8 => KvType::Q8_0,
                KvTypeArgument::Q4 => KvType::Q4_0,
            })
            .repack(match self.repack {
                RepackArgument::Auto => Repack::Auto,
                RepackArgument::On => Repack::On,
                RepackArgument::Off => Repack::Off,
            });
        if let Some(path) = &self.chat_template {
            let source = std::fs::read_to_string(path)
                .map_err(|error| anyhow::anyhow!("{}: the template cannot be read: {error}", path.display()))?;
            options = options.chat_template(source);
        }
        let is_meant = |model: &Option<String>| model.is_none() || model.as_deref() == name;
        for adapter in self.adapters.iter().filter(|adapter| is_meant(&adapter.model)) {
            options = options.adapter(&adapter.path, adapter.scale);
        }
        let projectors: Vec<_> = self.projectors.iter().filter(|projector| is_meant(&projector.model)).collect();
        match projectors[..] {
            [] => {}
            [projector] => options = options.projector(&projector.path),
            _ => anyhow::bail!("--projector: a model has one, and {} are given", projectors.len()),
        }
        if let Some(margin) = self.gpu_margin {
            options = options.gpu_margin(u64::from(margin) << 20);
        }
        if let Some(tokens) = self.image_max_tokens {
            options = options.image_max_tokens(tokens.get());
        }
        if let Some(draft) = &self.draft_model {
            options = options.draft_model(draft);
        }
        if let Some(folder) = &self.prefix_cache_folder {
            options = options.prefix_cache_folder(folder);
        }
        if let Some(folder) = &self.media_folder {
            options = options.media_folder(folder);
        }
        Ok(options)
    }

    /// An engine with one model, called [`MODEL`]. A bar on stderr shows how far it is loaded, if
    /// that is a terminal.
    pub(crate) fn engine(&self, path: &Path) -> anyhow::Result<Engine> {
        Ok(Engine::builder().model(MODEL, with_bar(self.options(path)?, path)).build()?)
    }
}

/// Shows a bar while the model is loaded.
pub(crate) fn with_bar(options: ModelOptions, path: &Path) -> ModelOptions {
    options.progress(bar(path))
}

/// A bar on stderr, if that is a terminal.
pub(crate) fn bar(path: &Path) -> impl Fn(f32) -> bool + Send + 'static {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let style = ProgressStyle::with_template("{msg} {bar:30} {percent}% {eta}");
    let bar = ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(name);
    move |fraction| {
        // What was downloaded is loaded next.
        if bar.is_finished() {
            bar.reset();
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the fraction is from 0 to 1")]
        bar.set_position((fraction * 1000.0) as u64);
        if fraction >= 1.0 {
            bar.finish_and_clear();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_have_models_and_scales() {
        let read = |text: &str| text.parse::<AdapterArgument>().unwrap();
        let expected = |model: Option<&str>, path: &str, scale| AdapterArgument {
            model: model.map(str::to_owned),
            path: path.into(),
            scale,
        };
        assert_eq!(read("a.gguf"), expected(None, "a.gguf", 1.0));
        assert_eq!(read("a.gguf:0.5"), expected(None, "a.gguf", 0.5));
        assert_eq!(read("tuned=/x/a.gguf:-2"), expected(Some("tuned"), "/x/a.gguf", -2.0));
        assert_eq!(read("hf:owner/lora:F16"), expected(None, "hf:owner/lora:F16", 1.0));
    }
}
