//! The engine: models by name, and the calls that reach them.

mod audio;
mod builder;
mod calls;
mod chat;
mod embeddings;
mod images;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;

use crate::api::error::{Error, ErrorKind, Result};
use crate::batches::{BatchJobs, Batches};
use crate::call::{Admission, Call};
use crate::door;
use crate::files::{FileStore, Files};
use crate::isolate::Isolated;
use crate::metrics::Metrics;
use crate::model::{ModelInfo, ModelOptions};
use crate::models::{Catalogue, Models, ServedModel};
use crate::prepare::Workers;
use crate::responses::Responses;
use crate::router::{Body, Pending};
use crate::store::Store;
pub use audio::{Transcriptions, Translations};
pub use builder::EngineBuilder;
pub(crate) use chat::CHAT_COMPLETIONS;
pub use chat::Chat;
pub use embeddings::Embeddings;
pub use images::Images;

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
        self.check_open()?;
        Ok(&self.0.files)
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

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models: Vec<String> = self.model_info().into_iter().map(|info| info.id).collect();
        f.debug_struct("Engine").field("models", &models).field("closed", &self.is_closed()).finish()
    }
}
