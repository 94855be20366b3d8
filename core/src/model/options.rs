//! How a model is loaded.

use std::fmt;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use serde::{Deserialize, Serialize};

use super::adapter::Adapter;
use super::gpu::{FlashAttention, GpuOptions};
use crate::api::error::{Error, ErrorKind, Result};
use crate::media::{Fetcher, MediaAccess};

/// The most sequences that llama.cpp can hold in one context.
const MAX_PARALLEL: u32 = 256;
/// The most tokens that llama.cpp can number; it rounds contexts up to 256 of them.
const MAX_CONTEXT: u32 = i32::MAX.cast_unsigned() - 255;
/// The most threads that ggml computes with.
const MAX_THREADS: u32 = 512;
/// Sequences that the prefix cache keeps at most.
const MAX_KEPT: u32 = 64;
/// The most tokens that an image can be allowed: mtmd multiplies them with pixels, in 32 bits.
const MAX_IMAGE_TOKENS: u32 = 8192;
/// Requests computed together unless the options say otherwise.
const DEFAULT_PARALLEL: u32 = 16;

/// The numeric type of the KV cache's cells.
///
/// A quantised cache takes less memory and answers a little differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KvType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats (the default).
    #[default]
    F16,
    /// 8-bit blocks, about half of `F16`.
    Q8_0,
    /// 4-bit blocks, about a quarter of `F16`.
    Q4_0,
}

/// Whether weights are copied into the layout that the CPU kernels work best with.
///
/// That makes answers come faster, takes a moment at load, and memory: the weights of
/// a mapped file otherwise stay in the system's file cache, shared by all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Repack {
    /// Where there is memory for it: half as much again as the file is large must be
    /// free, unless the file is not mapped anyway (the default).
    #[default]
    Auto,
    /// Always.
    On,
    /// Never: zerohop's kernels stay unused. llama.cpp still repacks the few types that
    /// it has kernels of its own for.
    Off,
}

pub(crate) type ProgressCallback = Arc<Mutex<dyn FnMut(f32) -> bool + Send>>;

/// What to load and how. A path converts into it, so that the common case needs
/// nothing else.
///
/// ```
/// use zerohop::{KvType, ModelOptions};
///
/// let options = ModelOptions::new("qwen.gguf").context_length(4096).parallel(8).kv_type(KvType::Q8_0);
/// # let _ = options;
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ModelOptions {
    pub(crate) path: PathBuf,
    pub(crate) context_length: Option<NonZeroU32>,
    pub(crate) threads: Option<NonZeroU32>,
    pub(crate) gpu: GpuOptions,
    pub(crate) flash_attention: FlashAttention,
    pub(crate) parallel: Option<NonZeroU32>,
    pub(crate) queue: Option<NonZeroU32>,
    pub(crate) kv_type: KvType,
    pub(crate) prefix_cache: bool,
    pub(crate) prefix_cache_folder: Option<PathBuf>,
    pub(crate) speculation: bool,
    pub(crate) mmap: bool,
    pub(crate) repack: Repack,
    pub(crate) chat_template: Option<String>,
    pub(crate) adapters: Vec<Adapter>,
    pub(crate) draft_model: Option<PathBuf>,
    pub(crate) projector: Option<PathBuf>,
    pub(crate) image_max_tokens: Option<NonZeroU32>,
    pub(crate) media_folder: Option<PathBuf>,
    #[serde(skip)]
    pub(crate) media_fetcher: Option<Fetcher>,
    pub(crate) aliases: Vec<String>,
    pub(crate) lazy: bool,
    #[serde(skip)]
    pub(crate) progress: Option<ProgressCallback>,
}

impl ModelOptions {
    /// The model at `path`, with every option at its default: a GGUF file, the first of a split model, a
    /// speech model in whisper.cpp's format, a folder with one model in it, or a name on the Hugging Face
    /// hub, `hf:owner/repo:Q4_K_M` (see [`pull`](crate::pull)). Of the options, a speech model has use for
    /// `threads`, `parallel`, `queue`, `aliases`, `lazy` and `progress`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        ModelOptions {
            path: path.as_ref().to_path_buf(),
            context_length: None,
            threads: None,
            gpu: GpuOptions::default(),
            flash_attention: FlashAttention::Auto,
            parallel: None,
            queue: None,
            kv_type: KvType::F16,
            prefix_cache: true,
            prefix_cache_folder: None,
            speculation: true,
            mmap: true,
            repack: Repack::Auto,
            chat_template: None,
            adapters: Vec::new(),
            draft_model: None,
            projector: None,
            image_max_tokens: None,
            media_folder: None,
            media_fetcher: None,
            aliases: Vec::new(),
            lazy: false,
            progress: None,
        }
    }

    /// Tokens that all running requests share, and at most one request's prompt
    /// and answer together. Default (also for 0): the model's own context, at
    /// most 8192.
    #[must_use]
    pub fn context_length(mut self, tokens: u32) -> Self {
        self.context_length = NonZeroU32::new(tokens);
        self
    }

    /// Threads to compute with. Default (also for 0): the processors available
    /// to this process.
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = NonZeroU32::new(threads);
        self
    }

    /// Requests computed together, 1 to 256. Default (also for 0): 16. Others
    /// wait in the queue.
    ///
    /// A speech model computes the windows of all requests in turn; so many at the same time, by default one,
    /// which has all threads then. Each takes memory of its own.
    #[must_use]
    pub fn parallel(mut self, sequences: u32) -> Self {
        self.parallel = NonZeroU32::new(sequences);
        self
    }

    /// Reports the loaded fraction; false if the loading should stop. A panic of the host's code stops
    /// it too.
    pub(crate) fn report(&self, fraction: f32) -> bool {
        let Some(callback) = &self.progress else { return true };
        catch_unwind(AssertUnwindSafe(|| callback.lock().is_ok_and(|mut callback| callback(fraction)))).unwrap_or(false)
    }

    /// # Errors
    ///
    /// `InvalidArgument` for an option out of range.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::new(ErrorKind::InvalidArgument, what));
        let parallel = self.sequences();
        if parallel > MAX_PARALLEL {
            return refuse(format!(
                "parallel is {parallel}; llama.cpp computes at most {MAX_PARALLEL} sequences together"
            ));
        }
        if let Some(threads) = self.threads.filter(|threads| threads.get() > MAX_THREADS) {
            return refuse(format!("threads is {threads}; llama.cpp computes with at most {MAX_THREADS}"));
        }
        if let Some(tokens) = self.context_length.filter(|tokens| tokens.get() > MAX_CONTEXT) {
            return refuse(format!("context_length is {tokens}; llama.cpp computes with at most {MAX_CONTEXT} tokens"));
        }
        if let Some(tokens) = self.image_max_tokens.filter(|tokens| tokens.get() > MAX_IMAGE_TOKENS) {
            return refuse(format!("image_max_tokens is {tokens}; an image has at most {MAX_IMAGE_TOKENS}"));
        }
        if self.chat_template.as_deref().is_some_and(str::is_empty) {
            return refuse("the chat template is empty".to_owned());
        }
        if self.prefix_cache_folder.is_some() && !self.prefix_cache {
            return refuse("prefix_cache_folder is given, and prefix_cache is off".to_owned());
        }
        self.check_gpu()?;
        if let Some(adapter) = self.adapters.iter().find(|adapter| !adapter.scale.is_finite()) {
            return refuse(format!("{}: the adapter's scale is {}", adapter.path.display(), adapter.scale));
        }
        Ok(())
    }

    /// The requests that are computed together.
    pub(crate) fn sequences(&self) -> u32 {
        self.parallel.map_or(DEFAULT_PARALLEL, NonZeroU32::get)
    }

    /// Windows of speech that are computed at the same time.
    pub(crate) fn speech_states(&self) -> u32 {
        self.parallel.map_or(1, NonZeroU32::get)
    }

    /// The sequences that the prefix cache keeps beside them.
    pub(crate) fn kept_sequences(&self) -> u32 {
        if self.prefix_cache { MAX_KEPT.min(MAX_PARALLEL - self.sequences()) } else { 0 }
    }

    /// Requests that may wait; one more is refused with status 429. Default
    /// (also for 0): 512.
    #[must_use]
    pub fn queue(mut self, requests: u32) -> Self {
        self.queue = NonZeroU32::new(requests);
        self
    }

    /// Whether what was computed stays in the KV cache for requests that begin alike: the next turn of a
    /// conversation, the same instructions before another question. Kept cells are given up when
    /// running requests need them. Up to 64 sequences are kept, and with [`parallel`](Self::parallel) above
    /// 192 fewer: 256 less it. Models with a recurrent state keep nothing. Default: true.
    ///
    /// Usage reports in `cached_tokens` how much of a prompt was not computed again.
    #[must_use]
    pub fn prefix_cache(mut self, keep: bool) -> Self {
        self.prefix_cache = keep;
        self
    }

    /// A folder in which what the prefix cache keeps is saved when the model is unloaded or its engine closed, and
    /// from which it is read when the model is loaded the next time, in this process or another: long instructions
    /// are then computed once, not once for each run of a program. The folder is made if it is not there.
    ///
    /// There is one file for each model and the options that its numbers depend on, as large as the cells that
    /// are kept (some 10 KiB a token for a model of half a billion parameters, 128 KiB for one of eight billion). The last
    /// to close wins. What is of another model, changed or damaged is left alone, with a warning in the log; the
    /// files are as private as the prompts that were computed. Texts alone are saved: no beginnings with images or
    /// sound. Not for models with sliding windows or recurrent states. Default: none, and nothing is saved.
    ///
    /// ```no_run
    /// use zerohop::{Engine, ModelOptions};
    ///
    /// let model = ModelOptions::new("qwen.gguf").prefix_cache_folder("/var/cache/my-program");
    /// let engine = Engine::builder().model("qwen", model).build()?;
    /// // ... requests ...
    /// engine.close();
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    #[must_use]
    pub fn prefix_cache_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.prefix_cache_folder = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Whether tokens that came before, in the prompt or the answer, are drafted where the newest ones
    /// come again, and checked together: an edited text, an extract, a list. No answer changes. It is done
    /// while at most two requests generate, for as long as the drafts that come true save more time than
    /// they cost, and where our kernels compute the whole model ([`Repack`]), except with sliding windows and
    /// recurrent states. Default: true.
    #[must_use]
    pub fn speculation(mut self, draft: bool) -> Self {
        self.speculation = draft;
        self
    }

    /// The numeric type of the KV cache. Default: [`KvType::F16`].
    #[must_use]
    pub fn kv_type(mut self, kv_type: KvType) -> Self {
        self.kv_type = kv_type;
        self
    }

    /// Whether to map the file into memory instead of reading it. Default: true.
    #[must_use]
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.mmap = mmap;
        self
    }

    /// Whether to copy weights into the layout that the CPU kernels work best with.
    /// Default: [`Repack::Auto`].
    #[must_use]
    pub fn repack(mut self, repack: Repack) -> Self {
        self.repack = repack;
        self
    }

    /// A Jinja chat template in place of the file's own.
    #[must_use]
    pub fn chat_template(mut self, source: impl Into<String>) -> Self {
        self.chat_template = Some(source.into());
        self
    }

    /// A LoRA adapter to apply: a GGUF file as llama.cpp's `convert_lora_to_gguf.py` writes it, or whatever
    /// else [`new`](Self::new) takes. `scale` is how strongly, on top of what the file says: 1 as it was
    /// trained, 0 not at all. May be given repeatedly; what the adapters change adds up.
    ///
    /// Models of the process that are loaded from the same file with the same `mmap`, `repack` and options
    /// about GPUs share its weights. So a model and its adapted variants are models of their own, each with
    /// its own context, that together take little more memory than one.
    ///
    /// ```no_run
    /// use zerohop::{Engine, ModelOptions};
    ///
    /// let engine = Engine::builder().model("base", "qwen.gguf").build()?;
    /// engine.load("pirate", ModelOptions::new("qwen.gguf").adapter("pirate-lora.gguf", 1.0))?;
    /// assert_eq!(engine.model_info()[1].adapters[0].scale, 1.0);
    /// engine.unload("pirate")?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    #[must_use]
    pub fn adapter(mut self, path: impl AsRef<Path>, scale: f32) -> Self {
        self.adapters.push(Adapter { path: path.as_ref().to_path_buf(), scale });
        self
    }

    /// A smaller model with the same vocabulary that drafts what this one will say: a GGUF file, or whatever
    /// else [`new`](Self::new) takes. Its drafts are checked together with the next token, which takes less
    /// time than computing them one after another, and no answer changes ([`speculation`](Self::speculation)
    /// says where; elsewhere, llama.cpp rounds differently with the number of tokens). It pays where the draft
    /// model is many times faster and often right, and is asked only while it does, while at most two requests
    /// generate, and where nothing that came before says what comes next.
    ///
    /// Both must keep all their tokens in the cache: no sliding windows, no recurrent states. The draft model has
    /// a context of its own, as long as this one's, and is loaded with the same `threads`, `kv_type`, `mmap`, `repack`
    /// and options about GPUs, but for `cpu_moe_layers`. Default: none.
    ///
    /// ```no_run
    /// use zerohop::{Engine, ModelOptions};
    ///
    /// let model = ModelOptions::new("qwen2.5-7b-q4_k_m.gguf").draft_model("qwen2.5-0.5b-q4_0.gguf");
    /// let engine = Engine::builder().model("qwen", model).build()?;
    /// let metrics = engine.metrics();
    /// println!("{} of {}", metrics.models[0].accepted_draft_tokens, metrics.models[0].drafted_tokens);
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    #[must_use]
    pub fn draft_model(mut self, path: impl AsRef<Path>) -> Self {
        self.draft_model = Some(path.as_ref().to_path_buf());
        self
    }

    /// The projector with which a model sees or hears: a GGUF file as llama.cpp's `convert_hf_to_gguf.py
    /// --mmproj` writes it. Default: the only `mmproj*.gguf` in the model's folder, if the model is the only
    /// one there too; without one, images and audio in messages get a 400.
    ///
    /// ```no_run
    /// use zerohop::{Engine, ModelOptions};
    ///
    /// let model = ModelOptions::new("gemma-3-4b-it-Q4_K_M.gguf").projector("mmproj-gemma-3-4b-it-f16.gguf");
    /// let engine = Engine::builder().model("eyes", model).build()?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    #[must_use]
    pub fn projector(mut self, path: impl AsRef<Path>) -> Self {
        self.projector = Some(path.as_ref().to_path_buf());
        self
    }

    /// The most tokens that an image has, up to 8192: larger ones are scaled down. Fewer are faster and
    /// take less of the context; more show more of a large image.
    ///
    /// For projectors whose images have as many as their size says: those of Qwen2-VL, Qwen2.5-VL and Qwen3-VL
    /// (by themselves 8 to 4096), Pixtral (8 to 1024), Gemma 4 (70 to 1120) and LFM2 (64 to 256, and as many for
    /// each tile of a larger one), where it must not be below the first number; and of Idefics3 and `SmolVLM`, whose
    /// images are scaled to about so many and then cut into tiles. With other projectors all images, or tiles,
    /// have as many, and it is refused, as for models without a projector that sees. Default (also for 0): the
    /// projector's own.
    ///
    /// ```no_run
    /// use zerohop::{Engine, ModelOptions};
    ///
    /// let model = ModelOptions::new("qwen2.5-vl.gguf").projector("mmproj.gguf").image_max_tokens(1024);
    /// let engine = Engine::builder().model("eyes", model).build()?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    #[must_use]
    pub fn image_max_tokens(mut self, tokens: u32) -> Self {
        self.image_max_tokens = NonZeroU32::new(tokens);
        self
    }

    /// A folder whose images requests may name with `file:` URLs, those in its folders included; links that
    /// lead out of it are not followed. It has to be there when a model with a projector is loaded; others take
    /// no images anyway. Default: none, and such a URL gets a 400.
    #[must_use]
    pub fn media_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.media_folder = Some(folder.as_ref().to_path_buf());
        self
    }

    /// What fetches the images that requests name with `http:` and `https:` URLs, since an engine opens no
    /// connections itself: it gets the URL and gives the file's bytes, or the reason for the 400 that the
    /// request gets. It is called on the thread that makes the request, or on one of the engine's, by several
    /// at the same time; which addresses it may reach is for it to see to. Default: none, and such a URL gets
    /// a 400. Not with [`Isolation`](crate::Isolation).
    ///
    /// ```no_run
    /// use zerohop::ModelOptions;
    ///
    /// let options = ModelOptions::new("qwen2.5-vl.gguf").media_fetcher(|url| match url {
    ///     "https://example.com/cat.png" => Ok(std::fs::read("cat.png")?),
    ///     _ => Err("only the cat".into()),
    /// });
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn media_fetcher(
        mut self,
        fetch: impl Fn(&str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.media_fetcher = Some(Fetcher::new(fetch));
        self
    }

    /// Where images may come from.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a folder that is not there.
    pub(crate) fn media_access(&self) -> Result<MediaAccess> {
        if let Some(folder) = self.media_folder.as_ref().filter(|folder| !folder.is_dir()) {
            let message = format!("media_folder: '{}' is no folder", folder.display());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(MediaAccess { folder: self.media_folder.clone(), fetcher: self.media_fetcher.clone() })
    }

    /// Another name that requests may use in `model`. May be given repeatedly.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.aliases.push(name.into());
        self
    }

    /// Whether the model is loaded when the first request for it comes, instead of at once; that request
    /// waits, and so do others for the same model. Its file is found (and downloaded) and checked at once,
    /// and the model is listed. When memory is needed for another model, it is unloaded while it has no
    /// requests, the model that was not used for longest first, and loaded again when it is asked for.
    /// Default: false.
    ///
    /// ```no_run
    /// use zerohop::{Engine, ModelOptions};
    ///
    /// let engine = Engine::builder()
    ///     .model("small", ModelOptions::new("qwen-0.5b.gguf").lazy(true))
    ///     .model("large", ModelOptions::new("qwen-7b.gguf").lazy(true))
    ///     .memory_budget(6 << 30)
    ///     .build()?;
    /// assert!(!engine.model_info()[0].loaded);
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    #[must_use]
    pub fn lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// Called while loading with the loaded fraction, 0 to 1, on the thread that builds the engine or
    /// calls [`Engine::load`](crate::Engine::load); returning `false` stops the loading. For a model from
    /// the hub that has to be downloaded, first with the fraction of that, which is all that a model that
    /// is loaded lazily reports.
    #[must_use]
    pub fn progress(mut self, callback: impl FnMut(f32) -> bool + Send + 'static) -> Self {
        self.progress = Some(Arc::new(Mutex::new(callback)));
        self
    }
}

/// The processors that this process may use.
pub(crate) fn available_threads() -> u32 {
    thread::available_parallelism().map_or(1, |threads| u32::try_from(threads.get()).unwrap_or(u32::MAX))
}

impl<P: AsRef<Path>> From<P> for ModelOptions {
    fn from(path: P) -> Self {
        ModelOptions::new(path)
    }
}

impl fmt::Debug for ModelOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelOptions")
            .field("path", &self.path)
            .field("context_length", &self.context_length)
            .field("threads", &self.threads)
            .field("gpu", &self.gpu)
            .field("flash_attention", &self.flash_attention)
            .field("parallel", &self.parallel)
            .field("queue", &self.queue)
            .field("kv_type", &self.kv_type)
            .field("prefix_cache_folder", &self.prefix_cache_folder)
            .field("mmap", &self.mmap)
            .field("repack", &self.repack)
            .field("chat_template", &self.chat_template.as_ref().map(String::len))
            .field("adapters", &self.adapters)
            .field("draft_model", &self.draft_model)
            .field("projector", &self.projector)
            .field("media_folder", &self.media_folder)
            .field("media_fetcher", &self.media_fetcher.is_some())
            .field("aliases", &self.aliases)
            .field("lazy", &self.lazy)
            .finish_non_exhaustive()
    }
}

impl ModelOptions {
    /// Refuses options that models of other kinds than texts have no use for.
    pub(super) fn refuse_text_options(&self, what: &str) -> Result<()> {
        let has = [
            (self.chat_template.is_some(), "chat template"),
            (!self.adapters.is_empty(), "adapters"),
            (self.projector.is_some(), "projector"),
            (self.draft_model.is_some(), "draft model"),
            (self.prefix_cache_folder.is_some(), "prefix cache"),
            (self.context_length.is_some(), "context length to choose"),
            (self.kv_type != KvType::F16, "KV cache of another type"),
        ];
        match has.iter().find(|(is_set, _)| *is_set) {
            Some((_, name)) => {
                let message = format!("{}: {what} has no {name}", self.path.display());
                Err(Error::new(ErrorKind::InvalidArgument, message))
            }
            None => Ok(()),
        }
    }
}
