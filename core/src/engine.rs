//! The engine: models by name, and the calls that reach them.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_reply::ChatCompletion;
use crate::api::embeddings::{CreateEmbeddingRequest, CreateEmbeddingResponse, EmbeddingUsage};
use crate::api::error::{Error, ErrorKind, Result};
use crate::batches::{BatchJobs, Batches};
use crate::call::{Admission, Call, RateLimits};
use crate::chat::keep::Keep;
use crate::chat::{self, ChatCompletionStream, PendingChatCompletion, ReplyHead};
use crate::door;
use crate::embed::PendingEmbeddings;
use crate::files::{FileStore, Files};
use crate::isolate::{Isolated, Isolation, Settings};
use crate::metrics::Metrics;
use crate::model::{ModelInfo, ModelOptions};
use crate::models::{Catalogue, Models, ServedModel, check_names};
use crate::prepare::Workers;
use crate::responses::Responses;
use crate::router::{Body, EventStream, Pending};
use crate::store::Store;

/// The path of chat completions.
pub(crate) const CHAT_COMPLETIONS: &str = "/v1/chat/completions";

/// Runs models in this process and answers requests in the OpenAI API's shapes.
///
/// Cheap to clone; all clones share the models. Any number of threads may call
/// one engine at once: their requests are computed together. When the last clone
/// goes, or on [`close`](Self::close), the models are unloaded.
///
/// ```no_run
/// use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
///
/// let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
/// let request = CreateChatCompletionRequest::new(
///     "chat",
///     [ChatCompletionMessage::user("What is the capital of France?")],
/// );
/// let reply = engine.chat().create(&request)?;
/// println!("{}", reply.text().unwrap_or_default());
/// # Ok::<(), zerohop::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    catalogue: Arc<Catalogue>,
    admission: Arc<Admission>,
    files: FileStore,
    batches: Arc<BatchJobs>,
    /// For requests of [`Engine::submit_async`].
    workers: Workers,
    /// Answers that are kept for later.
    store: Arc<Store>,
    /// The worker process that computes instead.
    isolated: Option<Isolated>,
}

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
    /// and responses that the worker kept in memory are lost then; files stay.
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

impl Drop for Inner {
    fn drop(&mut self) {
        self.catalogue.close();
    }
}

impl Engine {
    fn new(catalogue: Arc<Catalogue>, admission: Arc<Admission>, isolated: Option<Isolated>) -> Self {
        Engine(Arc::new(Inner {
            catalogue,
            admission,
            files: FileStore::default(),
            batches: Arc::default(),
            workers: Workers::default(),
            store: Arc::default(),
            isolated,
        }))
    }

    /// Starts describing an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Chat completions.
    pub fn chat(&self) -> Chat<'_> {
        Chat { engine: self }
    }

    /// Responses: the newer API beside chat completions.
    pub fn responses(&self) -> Responses<'_> {
        Responses::new(self)
    }

    /// Vectors of texts.
    pub fn embeddings(&self) -> Embeddings<'_> {
        Embeddings { engine: self }
    }

    /// Files, kept in memory.
    pub fn files(&self) -> Files<'_> {
        Files::new(self)
    }

    /// # Errors
    ///
    /// `Closed` after [`close`](Self::close).
    pub(crate) fn open_files(&self) -> Result<&FileStore> {
        if self.is_closed() { Err(Error::closed()) } else { Ok(&self.0.files) }
    }

    /// Files of requests that are answered in the background.
    pub fn batches(&self) -> Batches<'_> {
        Batches::new(self)
    }

    pub(crate) fn batch_jobs(&self) -> &Arc<BatchJobs> {
        &self.0.batches
    }

    /// Whether nobody else holds the engine.
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The list of models.
    pub fn models(&self) -> Models<'_> {
        Models { engine: self }
    }

    /// What the models are, in the order they were added; of one that is not loaded, as far as its file
    /// says.
    pub fn model_info(&self) -> Vec<ModelInfo> {
        self.0.catalogue.infos()
    }

    /// Adds a model while the engine runs, and loads it unless it is loaded lazily. Blocks until that is
    /// done; the other models and their requests go on meanwhile. Requests for its name wait for the
    /// loading from its beginning on.
    ///
    /// # Errors
    ///
    /// As [`EngineBuilder::build`]; `InvalidArgument` also for a name that another model has, and `Closed`
    /// after [`close`](Self::close). The name is free again then.
    ///
    /// ```no_run
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let info = engine.load("coder", zerohop::ModelOptions::new("coder.gguf").alias("code"))?;
    /// println!("{} parameters", info.parameters);
    /// engine.unload("coder")?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn load(&self, name: &str, options: impl Into<ModelOptions>) -> Result<ModelInfo> {
        self.check_local()?;
        self.0.catalogue.load(name, &options.into(), true)
    }

    /// Unloads the model of this name or alias and forgets it. Its requests end at once with
    /// [`ErrorKind::Unavailable`] (503, code `model_unloaded`, to be tried again: the name may soon be
    /// another's), later ones with [`ErrorKind::NotFound`]; other models and their requests are not
    /// disturbed. Returns when the model's threads have gone. Any model can be unloaded, also the last.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown name, `Closed` after [`close`](Self::close).
    pub fn unload(&self, name: &str) -> Result<()> {
        self.check_open()?;
        self.check_local()?;
        self.0.catalogue.unload(&self.0.catalogue.find(name)?);
        Ok(())
    }

    /// # Errors
    ///
    /// `InvalidArgument` for an engine whose models are in a worker process.
    fn check_local(&self) -> Result<()> {
        match self.isolated() {
            None => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::InvalidArgument,
                "an engine with isolation has the models that it was built with: build another for others",
            )),
        }
    }

    /// Answers one HTTP-shaped request as a hosted API would: method, path
    /// (`/v1/chat/completions`, with or without `/v1`), headers and body.
    /// Blocks until the reply, or the beginning of the event stream, is there.
    ///
    /// Whatever the API itself could answer, a 400 or a 429 say, is a response.
    ///
    /// # Errors
    ///
    /// Only what HTTP has no status for: a closed engine, a cancelled request.
    ///
    /// ```no_run
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let body = r#"{"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}"#;
    /// let request = http::Request::post("/v1/chat/completions").body(body).unwrap();
    /// let response = engine.request(&request)?;
    /// assert_eq!(response.status(), 200);
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn request<B: AsRef<[u8]>>(&self, request: &http::Request<B>) -> Result<http::Response<Body>> {
        self.submit(request)?.wait()
    }

    /// Like [`request`](Self::request), but returns at once with something that
    /// can be waited for (with a deadline, or as a future) and cancelled.
    ///
    /// # Errors
    ///
    /// `Closed` after [`close`](Self::close).
    pub fn submit<B: AsRef<[u8]>>(&self, request: &http::Request<B>) -> Result<Pending> {
        door::submit(self, request, true)
    }

    /// Like [`submit`](Self::submit), for callers that must not be held up, such as
    /// event loops: reading the request, rendering and tokenising its prompt are left
    /// to a few threads of the engine.
    ///
    /// # Errors
    ///
    /// `Closed` after [`close`](Self::close).
    pub fn submit_async<B: AsRef<[u8]> + Send + 'static>(&self, request: http::Request<B>) -> Result<Pending> {
        door::submit_async(self, request)
    }

    /// Posts any serialisable request to a path and reads the reply as any
    /// deserialisable type, so that other people's API types can be used.
    ///
    /// # Errors
    ///
    /// The API's error for a reply with status 400 or more; `Internal` when the
    /// reply does not fit `R`; `InvalidRequest` for a request with
    /// `"stream": true` (see [`call_stream`](Self::call_stream)).
    pub fn call<R: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<R> {
        match self.post(path, request)?.into_body() {
            Body::Full(body) => read_reply(&body),
            Body::Events(_) => Err(Error::invalid("stream", "the reply is an event stream; use call_stream")),
        }
    }

    /// Like [`call`](Self::call) for requests with `"stream": true`: reads each
    /// event as any deserialisable type.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), the other way round.
    pub fn call_stream<C: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<Box<dyn Iterator<Item = Result<C>> + Send>> {
        match self.post(path, request)?.into_body() {
            Body::Events(events) => Ok(Box::new(events.data().map(|data| read_reply(&data?)))),
            Body::Full(_) => Err(Error::invalid("stream", "the reply is no event stream; set \"stream\": true")),
        }
    }

    /// The worker process's reply to a typed call, if there is a worker.
    pub(crate) fn remote<R: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Option<Result<R>> {
        self.isolated()?;
        Some(request_body(request, false).and_then(|body| self.call(path, &body)))
    }

    /// The same for a call that is answered in events.
    pub(crate) fn remote_events(&self, path: &str, request: &impl Serialize) -> Option<Result<EventStream>> {
        self.isolated()?;
        let reply = request_body(request, true).and_then(|body| self.post(path, &body));
        Some(reply.and_then(|reply| match reply.into_body() {
            Body::Events(events) => Ok(events),
            Body::Full(_) => Err(Error::internal("the worker process does not stream")),
        }))
    }

    /// The same for a call without a body.
    pub(crate) fn remote_call<R: DeserializeOwned>(&self, method: &Method, path: &str) -> Option<Result<R>> {
        self.isolated()?;
        let send = || {
            let request = http::Request::builder()
                .method(method)
                .uri(path)
                .body("")
                .map_err(|error| Error::new(ErrorKind::InvalidArgument, "the path is no URI").with_source(error))?;
            match successful(door::submit(self, &request, false)?.wait()?)?.into_body() {
                Body::Full(body) => read_reply(&body),
                Body::Events(_) => Err(Error::internal("the worker process streams")),
            }
        };
        Some(send())
    }

    fn post(&self, path: &str, request: &impl Serialize) -> Result<http::Response<Body>> {
        let body = serde_json::to_vec(request)
            .map_err(|error| Error::new(ErrorKind::InvalidRequest, "the request is no JSON").with_source(error))?;
        let request = http::Request::post(path)
            .body(body)
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, "the path is no URI").with_source(error))?;
        successful(door::submit(self, &request, false)?.wait()?)
    }

    /// What the engine has done and is doing: requests by status, queues, slots, cache, tokens, times.
    /// Cheap, and possible at any time, also after [`close`](Self::close).
    ///
    /// ```no_run
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let metrics = engine.metrics();
    /// let model = &metrics.models[0];
    /// println!("{} of {} slots busy, {} waiting", model.slots_busy, model.slots, model.queue_length);
    /// println!("first token after {:.3} s on average", model.time_to_first_token.mean());
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        // A worker that has just ended has nothing to tell.
        if let Some(Ok(metrics)) = self.remote_call(&Method::GET, "/metrics?format=json") {
            return metrics;
        }
        self.0.admission.metrics(self.0.catalogue.metrics())
    }

    /// Closes the engine gracefully: refuses new requests with [`ErrorKind::Unavailable`] (503, code
    /// `draining`), lets those that have begun end, `patience` long at most, then closes as
    /// [`close`](Self::close) does. Gives whether all have ended by themselves.
    ///
    /// A request has ended when its answer has been fetched, too. Any thread may call it, also several,
    /// and `close` meanwhile, which ends the waiting.
    ///
    /// ```no_run
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// if !engine.drain(std::time::Duration::from_secs(30)) {
    ///     eprintln!("some requests took too long and were cut off");
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn drain(&self, patience: Duration) -> bool {
        // A time that no clock reaches is no limit.
        let all_ended = self.0.admission.drain(Instant::now().checked_add(patience));
        self.close();
        all_ended
    }

    /// The first part of [`drain`](Self::drain): refuses new requests, waits until the others have ended
    /// or `deadline` has passed, and gives whether they have ended. Waiting can go on with another call;
    /// the engine is not closed.
    pub fn drain_until(&self, deadline: Instant) -> bool {
        self.0.admission.drain(Some(deadline))
    }

    /// Ends all requests with [`ErrorKind::Closed`], unloads the models and drops files and batches, also
    /// where clones of the engine live on. Returns when the model threads have
    /// gone. Later calls fail; closing twice is fine.
    pub fn close(&self) {
        self.0.admission.close();
        self.0.catalogue.close();
        if let Some(isolated) = &self.0.isolated {
            isolated.close();
        }
        self.0.workers.close();
        self.0.batches.close();
        self.0.store.clear();
        self.0.files.clear();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.0.admission.is_closed()
    }

    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.0.admission
    }

    /// The worker process that computes instead of this one.
    pub(crate) fn isolated(&self) -> Option<&Isolated> {
        self.0.isolated.as_ref()
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.0.workers
    }

    /// Does `work` as a part of the request that this thread is working on, or as a typed call.
    pub(crate) fn in_call<T>(
        &self,
        operation: &'static str,
        model: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let call = match Call::current() {
            Some(call) => call,
            None => self.0.admission.begin(operation)?,
        };
        call.asks_for(model);
        call.scope(work).inspect_err(|error| call.fail(error))
    }

    /// The requests that all models together compute at once.
    pub(crate) fn places(&self) -> usize {
        self.0.catalogue.places()
    }

    /// The model that a request names, ready to compute.
    pub(crate) fn served(&self, name: &str) -> Result<Arc<ServedModel>> {
        self.0.catalogue.served(name)
    }

    /// # Errors
    ///
    /// `Closed` after [`close`](Self::close).
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::closed()) } else { Ok(()) }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.0.catalogue
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

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models: Vec<String> = self.model_info().into_iter().map(|info| info.id).collect();
        f.debug_struct("Engine").field("models", &models).field("closed", &self.is_closed()).finish()
    }
}

/// A reply that is no error.
fn successful(reply: http::Response<Body>) -> Result<http::Response<Body>> {
    match (reply.status().as_u16(), reply.body()) {
        (status @ 400.., Body::Full(body)) => Err(Error::from_body(status, body)),
        _ => Ok(reply),
    }
}

/// The body of a typed call, which says by its name whether it streams.
fn request_body(request: &impl Serialize, stream: bool) -> Result<Value> {
    let body = serde_json::to_value(request);
    let mut body =
        body.map_err(|error| Error::new(ErrorKind::InvalidRequest, "the request is no JSON").with_source(error))?;
    if let Some(fields) = body.as_object_mut() {
        if stream {
            fields.insert("stream".to_owned(), Value::Bool(true));
        } else {
            fields.remove("stream");
            fields.remove("stream_options");
        }
    }
    Ok(body)
}

fn read_reply<R: DeserializeOwned>(body: &[u8]) -> Result<R> {
    serde_json::from_slice(body).map_err(|error| {
        Error::internal(format!("the reply does not fit the type asked for: {error}")).with_source(error)
    })
}

/// Chat completions of an [`Engine`].
#[derive(Debug, Clone, Copy)]
pub struct Chat<'a> {
    pub(crate) engine: &'a Engine,
}

impl Chat<'_> {
    /// Answers a conversation. Blocks until the answer is complete, whatever the
    /// request's `stream` says.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, `NotFound` for an unknown model,
    /// `RateLimit` when the queue is full.
    pub fn create(&self, request: &CreateChatCompletionRequest) -> Result<ChatCompletion> {
        request.validate()?;
        if let Some(reply) = self.engine.remote(CHAT_COMPLETIONS, request) {
            return reply;
        }
        self.submit(request)?.wait()
    }

    /// Answers a conversation piece by piece, as it is generated, whatever the
    /// request's `stream` says.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```no_run
    /// # use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// # let request = CreateChatCompletionRequest::new("chat", [ChatCompletionMessage::user("Hi")]);
    /// for chunk in engine.chat().create_stream(&request)? {
    ///     print!("{}", chunk?.text().unwrap_or_default());
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_stream(&self, request: &CreateChatCompletionRequest) -> Result<ChatCompletionStream> {
        request.validate()?;
        if let Some(events) = self.engine.remote_events(CHAT_COMPLETIONS, request) {
            return ChatCompletionStream::of_worker(events?);
        }
        self.submit_stream(request)
    }

    /// Starts a validated request that is answered piece by piece.
    pub(crate) fn submit_stream(self, request: &CreateChatCompletionRequest) -> Result<ChatCompletionStream> {
        self.engine.in_call("chat", &request.model, || {
            let served = self.engine.served(&request.model)?;
            let submission = chat::submit(served.model(), served.generator()?, request)?;
            let usage = request.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false);
            let keep = Keep::of(self.engine.store(), request);
            Ok(ChatCompletionStream::new(ReplyHead::new(request, served.fingerprint()), submission, usage, keep))
        })
    }

    /// Starts a validated request that is answered as a whole.
    pub(crate) fn submit(self, request: &CreateChatCompletionRequest) -> Result<PendingChatCompletion> {
        self.engine.in_call("chat", &request.model, || {
            let served = self.engine.served(&request.model)?;
            let submission = chat::submit(served.model(), served.generator()?, request)?;
            let keep = Keep::of(self.engine.store(), request);
            Ok(PendingChatCompletion::new(ReplyHead::new(request, served.fingerprint()), submission, keep))
        })
    }

    /// How many tokens the prompt of a validated request is, and how many prompt and answer may be.
    pub(crate) fn prompt_tokens(self, request: &CreateChatCompletionRequest) -> Result<(usize, usize)> {
        let served = self.engine.served(&request.model)?;
        let generator = served.generator()?;
        Ok((chat::prompt_tokens(served.model(), request)?.len(), generator.context_length()))
    }
}

/// Embeddings of an [`Engine`].
#[derive(Debug, Clone, Copy)]
pub struct Embeddings<'a> {
    engine: &'a Engine,
}

impl Embeddings<'_> {
    /// Turns texts into vectors of length 1; texts that mean similar things have similar ones. Blocks
    /// until all are there. The texts of all callers are computed together.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, also for a text that is longer than the model takes (nothing
    /// is cut off silently) and for a model that generates text; `NotFound` for an unknown model;
    /// `RateLimit` when the queue is full.
    ///
    /// ```no_run
    /// use zerohop::types::CreateEmbeddingRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("minilm", "minilm.gguf").build()?;
    /// let reply = engine.embeddings().create(&CreateEmbeddingRequest::new("minilm", ["a cat", "a kitten"]))?;
    /// let (cat, kitten) = (&reply.data[0].embedding.values, &reply.data[1].embedding.values);
    /// let similarity: f32 = cat.iter().zip(kitten).map(|(a, b)| a * b).sum();
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateEmbeddingRequest) -> Result<CreateEmbeddingResponse> {
        request.validate()?;
        if let Some(reply) = self.engine.remote("/v1/embeddings", request) {
            return reply;
        }
        self.submit(request)?.wait()
    }

    /// The number of numbers in a model's vectors.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown model, `InvalidRequest` for one that generates text, `Closed`.
    pub fn dimensions(&self, model: &str) -> Result<usize> {
        if self.engine.isolated().is_some() {
            self.engine.check_open()?;
            let info = self.engine.catalogue().find(model)?.info();
            return info.embedding_dimensions.ok_or_else(|| {
                Error::invalid("model", format!("the model '{}' makes no vectors: use an embedding model", info.id))
            });
        }
        let served = self.engine.served(model)?;
        served.embedder()?;
        Ok(served.model().backend.embedding_length())
    }

    /// Like [`create`](Self::create), writing the vectors into `out`, one after another in the order of
    /// the inputs; what `out` has beyond them stays. A vector has [`dimensions`](Self::dimensions)
    /// numbers unless the request sets another number of them. `encoding_format` has no say here.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and `InvalidArgument` if `out` is too short. What is in `out` then is
    /// unspecified.
    ///
    /// ```no_run
    /// use zerohop::types::CreateEmbeddingRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("minilm", "minilm.gguf").build()?;
    /// let mut vectors = [[0.0_f32; 384]; 2];
    /// let request = CreateEmbeddingRequest::new("minilm", ["a cat", "a kitten"]);
    /// engine.embeddings().create_into(&request, vectors.as_flattened_mut())?;
    /// let similarity: f32 = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum();
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_into(&self, request: &CreateEmbeddingRequest, out: &mut [f32]) -> Result<EmbeddingUsage> {
        request.validate()?;
        if let Some(reply) = self.engine.remote::<CreateEmbeddingResponse>("/v1/embeddings", request) {
            return reply?.copy_into(out);
        }
        self.submit(request)?.wait_into(out)
    }

    /// Starts a validated request.
    pub(crate) fn submit(self, request: &CreateEmbeddingRequest) -> Result<PendingEmbeddings> {
        self.engine.in_call("embeddings", &request.model, || {
            let served = self.engine.served(&request.model)?;
            served.embedder()?.submit(served.model(), request)
        })
    }
}
