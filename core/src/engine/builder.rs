//! What an engine is made from.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Engine;
use crate::api::error::{Error, ErrorKind, Result};
use crate::call::{Admission, RateLimits};
use crate::isolate::{Isolated, Isolation, Settings};
use crate::model::ModelOptions;
use crate::models::{Catalogue, check_names};

/// Collects what an [`Engine`] should load.
#[derive(Default)]
pub struct EngineBuilder {
    models: Vec<(String, ModelOptions)>,
    api_keys: Vec<String>,
    limits: RateLimits,
    timeout: Option<Duration>,
    isolation: Option<Isolation>,
    memory_budget: Option<u64>,
}

impl EngineBuilder {
    /// Adds a model under the name that requests use for it. `options` is a path
    /// or [`ModelOptions`].
    #[must_use]
    pub fn model(mut self, name: impl Into<String>, options: impl Into<ModelOptions>) -> Self {
        self.models.push((name.into(), options.into()));
        self
    }

    /// Adds an API key. With any, requests through the door ([`Engine::submit`] and the like) need one
    /// of them, as `Authorization: Bearer KEY`, or get a 401. Typed calls and [`Engine::call`] are the
    /// host's own and need none. Default: no keys, and whatever key a request shows is accepted.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_keys.push(key.into());
        self
    }

    /// Requests that may come through the door in a minute, for each API key, or in all if there are no
    /// keys; one more gets a 429 that says when to come again. They come back evenly, and replies tell
    /// of them in `x-ratelimit-` headers. Default (also for 0): no limit.
    ///
    /// ```no_run
    /// let engine = zerohop::Engine::builder()
    ///     .model("chat", "qwen.gguf")
    ///     .api_key("sk-one")
    ///     .requests_per_minute(60)
    ///     .tokens_per_minute(20_000)
    ///     .build()?;
    /// let request = http::Request::get("/v1/models").header("authorization", "Bearer sk-one").body("").unwrap();
    /// assert_eq!(engine.request(&request)?.headers()["x-ratelimit-remaining-requests"], "59");
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    #[must_use]
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.limits.requests = NonZeroU32::new(requests).map(NonZeroU32::get);
        self
    }

    /// Tokens that requests through the door may take in a minute, counted as
    /// [`requests_per_minute`](Self::requests_per_minute) are. A request takes its prompt's and as many
    /// as it asks for (`max_completion_tokens`); those that it did not use come back when it ends, and
    /// those beyond are taken then. Default (also for 0): no limit.
    #[must_use]
    pub fn tokens_per_minute(mut self, tokens: u32) -> Self {
        self.limits.tokens = NonZeroU32::new(tokens).map(NonZeroU32::get);
        self
    }

    /// How long a request may take, from its arrival to its last token; then it ends with
    /// [`ErrorKind::Timeout`] (408, or an error event in a stream), and its slot is free at the next
    /// step. The header `x-request-timeout` (seconds) shortens it for one request. Default (also for
    /// zero): no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
        self
    }

    /// Where the models are loaded and computed with. Default: in this process, where native code that
    /// fails may end it ([`docs/native-faults.md`] says how far that is prevented). In a worker process,
    /// such a failure ends the worker: the requests that it was working on fail with status 503
    /// (`worker_ended`), and the next request starts another, which loads the models again. Completions
    /// and responses that the worker kept in memory are lost then; files stay. What the worker logs is
    /// logged in this process.
    ///
    /// All calls work as without: a request takes some ten microseconds longer.
    ///
    /// [`docs/native-faults.md`]: https://github.com/zerohop/zerohop/blob/main/docs/native-faults.md
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// The bytes that all models together may take, by the estimate that [`inspect`](crate::inspect)
    /// gives. Where the next model would go beyond, those that are loaded lazily and have no requests are
    /// unloaded, the one that was not used for longest first; if that is not enough, the model is refused
    /// with [`ErrorKind::Unavailable`] (503). Models also make room when the system's memory is short.
    /// Default (also for 0): no limit but that.
    #[must_use]
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = Some(bytes).filter(|&bytes| bytes > 0);
        self
    }

    /// Loads the models, in the order they were added; of those that are loaded lazily, the files are
    /// checked.
    ///
    /// # Errors
    ///
    /// `ModelFile` or `InvalidModel` for a file that cannot be loaded, naming the
    /// file and the reason; `InvalidArgument` for an option out of range or
    /// unfit for the model, or a name given twice; `Unavailable` when memory is
    /// short.
    pub fn build(self) -> Result<Engine> {
        self.check_names()?;
        self.check_keys()?;
        if let Some(isolation) = &self.isolation {
            return self.start_worker(isolation);
        }
        let catalogue = Catalogue::new(self.memory_budget);
        let engine = Engine::new(catalogue, Admission::new(self.api_keys, self.limits, self.timeout), None);
        for (name, options) in &self.models {
            engine.catalogue().load(name, options, false)?;
        }
        Ok(engine)
    }

    /// An engine whose models are loaded by a worker process, which also looks after limits.
    fn start_worker(&self, isolation: &Isolation) -> Result<Engine> {
        for (_, options) in &self.models {
            options.check()?;
            if options.media_fetcher.is_some() {
                let message = "a media_fetcher is called in this process, and cannot be from a worker process";
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
        }
        let settings = Settings {
            models: self.models.clone(),
            api_keys: self.api_keys.clone(),
            limits: self.limits,
            timeout: self.timeout,
            memory_budget: self.memory_budget,
        };
        let (isolated, loaded) = Isolated::start(isolation.worker.as_deref(), settings)?;
        let options = self.models.iter().map(|(_, options)| options);
        let catalogue = Catalogue::of_worker(loaded.models.into_iter().zip(options));
        // Limits need the worker's counts; keys are asked for here too, for what stays here.
        let admission = Admission::new(self.api_keys.clone(), RateLimits::default(), None);
        Ok(Engine::new(catalogue, admission, Some(isolated)))
    }

    /// With these limits in place of its own.
    pub(crate) fn limited(mut self, settings: &Settings) -> Self {
        self.api_keys.clone_from(&settings.api_keys);
        (self.limits, self.timeout, self.memory_budget) = (settings.limits, settings.timeout, settings.memory_budget);
        self
    }

    /// A key that no header can say would lock everybody out.
    fn check_keys(&self) -> Result<()> {
        let fits = |key: &String| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(index) = self.api_keys.iter().position(|key| !fits(key)) {
            let message = format!("API key {index} is empty, or has characters other than visible ASCII");
            return Err(Error::new(ErrorKind::InvalidArgument, message).with_param("api_keys"));
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        if self.models.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "an engine needs at least one model"));
        }
        let all = self.models.iter().flat_map(|(name, options)| std::iter::once(name).chain(&options.aliases));
        check_names(&all.map(String::as_str).collect::<Vec<_>>(), |_| false)
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys stay out of logs.
        f.debug_struct("EngineBuilder")
            .field("models", &self.models)
            .field("api_keys", &self.api_keys.len())
            .field("limits", &self.limits)
            .field("timeout", &self.timeout)
            .field("isolation", &self.isolation)
            .field("memory_budget", &self.memory_budget)
            .finish()
    }
}
