//! `/v1/batches`: files of requests that are answered in the background (BA1 to BA6).
//!
//! `jobs` has the batches and what they may become, `worker` the thread that computes them, with what
//! [`Engine::batch`] uses as well.

mod jobs;
mod worker;

use std::sync::Arc;

use http::{Method, Response, Uri};

use crate::api::batches::{Batch, CreateBatchRequest};
use crate::api::error::{Error, Result};
use crate::api::files::FilePurpose;
use crate::api::parse::{Object, from_body};
use crate::api::stored::{ListOrder, Page, PageParams};
use crate::engine::Engine;
use crate::responses::query;
use crate::router::{Body, decoded, json, method_not_allowed};
pub(crate) use jobs::BatchJobs;

/// The batches of an [`Engine`]: files of requests ([`Engine::files`]) that are answered in the
/// background, with their results in files again.
///
/// They are computed one after another, in the order in which they were made, each with as many requests
/// at once as the engine computes together. They and their files are in memory and go with the engine,
/// which also ends them when it is closed or nobody holds it any more: [`Engine::batch`], from file to
/// file, is for what must outlive the process. 1000 batches are kept; beyond that the oldest that has
/// ended goes for each new one.
#[derive(Debug, Clone, Copy)]
pub struct Batches<'a> {
    engine: &'a Engine,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(engine: &'a Engine) -> Self {
        Batches { engine }
    }

    /// Begins to answer a file of requests, and returns at once. Ask [`retrieve`](Self::retrieve) how far
    /// it is.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown file; `InvalidRequest` for a file of another purpose than `batch`, an
    /// unknown endpoint, and when 1000 batches have not ended. Faulty lines are found later, and make the
    /// batch's status `failed`. `Closed`.
    ///
    /// ```no_run
    /// use zerohop::types::{CreateBatchRequest, CreateFileRequest, FilePurpose};
    ///
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let requests = std::fs::read("requests.jsonl").unwrap();
    /// let file = engine.files().create(CreateFileRequest::new("requests.jsonl", requests, FilePurpose::Batch))?;
    /// let mut batch = engine.batches().create(&CreateBatchRequest::new(file.id, "/v1/chat/completions"))?;
    /// while !batch.status.is_final() {
    ///     std::thread::sleep(std::time::Duration::from_secs(1));
    ///     batch = engine.batches().retrieve(&batch.id)?;
    /// }
    /// let answers = engine.files().content(&batch.output_file_id.expect("no request was answered"))?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateBatchRequest) -> Result<Batch> {
        request.validate()?;
        let jobs = self.jobs()?;
        let file = self.engine.files().retrieve(&request.input_file_id);
        let file = file.map_err(|error| error.with_param("input_file_id"))?;
        if file.purpose != FilePurpose::Batch {
            let message = "the purpose of the file 'input_file_id' must be 'batch'";
            return Err(Error::invalid("input_file_id", message));
        }
        let batch = jobs.add(request)?;
        worker::start(self.engine)?;
        Ok(batch)
    }

    /// A batch as it is now.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown id, `Closed`.
    pub fn retrieve(&self, id: &str) -> Result<Batch> {
        self.jobs()?.retrieve(id)
    }

    /// A page of the batches, the newest first unless it says otherwise.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a `limit` out of range, or an unknown batch in `after`; `Closed`.
    pub fn list(&self, page: &PageParams) -> Result<Page<Batch>> {
        page.page(self.jobs()?.all(), ListOrder::Desc)
    }

    /// Ends a batch. What it has finished stays, in its files (BA6). One that is being computed is
    /// `cancelling` until its last requests have been stopped, which takes a moment.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown id, `Conflict` for a batch that has ended in another way; `Closed`.
    pub fn cancel(&self, id: &str) -> Result<Batch> {
        self.jobs()?.cancel(id)
    }

    fn jobs(self) -> Result<&'a Arc<BatchJobs>> {
        self.engine.check_open()?;
        Ok(self.engine.batch_jobs())
    }
}

/// Answers a request to a path below `/v1/batches`.
pub(crate) fn answer(
    engine: &Engine,
    path: &[&str],
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Result<Response<Body>> {
    let batches = engine.batches();
    match (path, method) {
        ([], &Method::POST) => {
            let Object(request) = from_body(body)?;
            batches.create(&request).map(|batch| json(&batch))
        }
        ([], &Method::GET) => batches.list(&query::page(uri)?).map(|page| json(&page)),
        ([id], &Method::GET) => batches.retrieve(&decoded(id)).map(|batch| json(&batch)),
        ([id, "cancel"], &Method::POST) => batches.cancel(&decoded(id)).map(|batch| json(&batch)),
        _ => Err(method_not_allowed(method, uri)),
    }
}
