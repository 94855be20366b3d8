//! Offline batches: files of requests, answered all together (BA1 to BA6).
//!
//! `input file -> lines -> Engine::request, many at once -> output and error file`

mod files;
mod line;
mod run;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use crate::api::batches::BatchError;
use crate::api::error::{Error, Result};
use crate::engine::Engine;
pub(crate) use files::{Finished, Lines, check};
pub(crate) use line::fault;
pub(crate) use run::Run;

type ProgressCallback = Arc<Mutex<dyn FnMut(&BatchCounts) -> bool + Send>>;

/// How a batch is run; see [`Engine::batch`].
///
/// ```
/// let options = zerohop::BatchOptions::new().endpoint("/v1/chat/completions").concurrency(32);
/// # let _ = options;
/// ```
#[derive(Clone, Default)]
pub struct BatchOptions {
    errors: Option<PathBuf>,
    endpoint: Option<String>,
    concurrency: Option<NonZeroUsize>,
    progress: Option<ProgressCallback>,
}

/// What has become of a batch's requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BatchCounts {
    /// Requests of the input file.
    pub total: u64,
    /// Those with an answer, in the output file.
    pub completed: u64,
    /// Those with an error, in the error file.
    pub failed: u64,
    /// Of both, those that an earlier run had finished.
    pub resumed: u64,
    /// Tokens that went into the answers.
    pub input_tokens: u64,
    /// Of these, those that had been computed for an earlier prompt.
    pub cached_tokens: u64,
    /// Tokens of the answers.
    pub output_tokens: u64,
    /// Of these, those of thoughts.
    pub reasoning_tokens: u64,
}

impl BatchCounts {
    /// Whether every request has its answer or error. A batch that was stopped is not complete.
    pub fn is_complete(&self) -> bool {
        self.completed + self.failed >= self.total
    }
}

impl BatchOptions {
    /// Every option at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The file of the requests that failed. Default: the output file's name with `.errors` before
    /// its extension.
    #[must_use]
    pub fn errors(mut self, path: impl AsRef<Path>) -> Self {
        self.errors = Some(path.as_ref().to_path_buf());
        self
    }

    /// The path that all requests of the file must have as their `url` (BA2). Default: each may have
    /// its own.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Requests in flight at once, at most 1024. Default (also for 0): a quarter more than the
    /// engine's models compute together, so that none of their places is ever free.
    #[must_use]
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = NonZeroUsize::new(requests);
        self
    }

    /// Called at once, then several times a second, with what has been done so far, on the thread that called
    /// [`Engine::batch`]; returning `false` stops the batch.
    #[must_use]
    pub fn progress(mut self, callback: impl FnMut(&BatchCounts) -> bool + Send + 'static) -> Self {
        self.progress = Some(Arc::new(Mutex::new(callback)));
        self
    }

    fn errors_path(&self, output: &Path) -> PathBuf {
        self.errors.clone().unwrap_or_else(|| {
            let extension = output.extension().map(|extension| extension.to_string_lossy().into_owned());
            output.with_extension(extension.map_or("errors".to_owned(), |extension| format!("errors.{extension}")))
        })
    }
}

impl fmt::Debug for BatchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchOptions")
            .field("errors", &self.errors)
            .field("endpoint", &self.endpoint)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Answers a file of requests, in the format of OpenAI's Batch API: one JSON object a line with
    /// `custom_id`, `method`, `url` and `body` (BA2). Blocks until all are answered.
    ///
    /// Each answer is a line of the output file as soon as it is there, in no particular order (BA5);
    /// requests that fail are lines of the error file. Output and error file may exist: then what they
    /// hold is not computed again, so that a batch that was stopped or killed goes on when it is called
    /// again with the same files (BA6). Memory does not grow with the file, but for 16 bytes a line.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when lines of the input are faulty (the message names the first; nothing has
    /// been computed then), `InvalidArgument` for a file that cannot be read or written, or that another
    /// batch is writing; `Closed` when the engine is closed meanwhile. What was finished is kept.
    ///
    /// ```no_run
    /// let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let counts = engine.batch("requests.jsonl", "answers.jsonl", &zerohop::BatchOptions::new())?;
    /// println!("{} answers, {} failures", counts.completed, counts.failed);
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn batch(
        &self,
        input: impl AsRef<Path>,
        output: impl AsRef<Path>,
        options: &BatchOptions,
    ) -> Result<BatchCounts> {
        let (input, output) = (input.as_ref(), output.as_ref());
        let endpoint = options.endpoint.as_deref();
        let checked = check(&mut Lines::open(input)?, endpoint);
        let total =
            checked.map_err(|error| files::cannot(input, "be read", error))?.map_err(|faults| faulty(&faults))?;
        let lines = Lines::open(input)?;
        let (finished, mut results, mut failures) = Finished::read(output, &options.errors_path(output))?;
        let run = Run::new(self, lines, endpoint, total, finished, (&mut results, &mut failures));
        run.all(options.concurrency.map(NonZeroUsize::get), |counts| {
            options.progress.as_ref().is_none_or(|callback| (callback.lock())(counts))
        })
    }
}

fn faulty(faults: &[BatchError]) -> Error {
    let Some(first) = faults.first() else { return Error::internal("a faulty batch without a fault") };
    let place = first.line.map_or_else(String::new, |line| format!("line {line}: "));
    let others = match faults.len() - 1 {
        0 => String::new(),
        others => format!(" ({others} more lines have faults)"),
    };
    Error::invalid("input", format!("{place}{}{others}", first.message)).with_code(first.code.clone())
}
