//! The batches of an engine, and what they may become.
//!
//! `validating -> in_progress -> finalizing -> completed`; from each of the first two also
//! `-> failed`, `-> expired`, and `-> cancelling -> cancelled`.

use std::thread::JoinHandle;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::api::batches::{
    Batch, BatchError, BatchErrors, BatchInputTokensDetails, BatchObject, BatchOutputTokensDetails, BatchRequestCounts,
    BatchStatus, BatchUsage, CreateBatchRequest,
};
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::shorten;
use crate::batch::BatchCounts;
use crate::clock::now;
use crate::threads::join_other;

/// Batches that are kept at most.
const MAX_BATCHES: usize = 1000;
/// Seconds that a batch may take.
const WINDOW: u64 = 24 * 60 * 60;

#[derive(Debug)]
pub(crate) struct BatchJobs {
    max_batches: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they were made.
    jobs: Vec<Job>,
    /// The one that the thread is at.
    current: Option<String>,
    /// Whether a thread takes up what waits.
    is_served: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    batch: Batch,
    output_expires_after: Option<u64>,
}

/// What the thread needs to know of a batch.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) endpoint: String,
    pub(super) input_file_id: String,
    pub(super) output_expires_after: Option<u64>,
}

/// How the computing of a batch has ended.
#[derive(Debug)]
pub(super) enum End {
    /// All requests have been answered, or the batch was to be stopped.
    Ran { output_file_id: Option<String>, error_file_id: Option<String>, failure: Option<BatchError> },
    /// The file is faulty.
    Refused(Vec<BatchError>),
}

impl Default for BatchJobs {
    fn default() -> Self {
        BatchJobs { max_batches: MAX_BATCHES, state: Mutex::default() }
    }
}

impl BatchJobs {
    /// Adds a batch to those that wait.
    pub(super) fn add(&self, request: &CreateBatchRequest) -> Result<Batch> {
        let mut state = self.state.lock();
        if state.jobs.len() >= self.max_batches {
            let Some(ended) = state.jobs.iter().position(|job| job.batch.status.is_final()) else {
                let message = format!("{} batches have not ended; wait for some, or cancel them", state.jobs.len());
                return Err(Error::new(ErrorKind::InvalidRequest, message).with_code("batch_limit_exceeded"));
            };
            state.jobs.remove(ended);
        }
        let now = now();
        let batch = Batch {
            id: format!("batch_{}", Uuid::new_v4().simple()),
            object: BatchObject::Batch,
            endpoint: request.endpoint.clone(),
            errors: None,
            input_file_id: request.input_file_id.clone(),
            completion_window: request.completion_window.clone(),
            status: BatchStatus::Validating,
            output_file_id: None,
            error_file_id: None,
            created_at: now,
            in_progress_at: None,
            expires_at: Some(now + WINDOW),
            finalizing_at: None,
            completed_at: None,
            failed_at: None,
            expired_at: None,
            cancelling_at: None,
            cancelled_at: None,
            request_counts: BatchRequestCounts::default(),
            usage: None,
            metadata: request.metadata.clone(),
        };
        let output_expires_after = request.output_expires_after.map(|expiry| expiry.seconds);
        state.jobs.push(Job { batch: batch.clone(), output_expires_after });
        Ok(batch)
    }

    pub(super) fn retrieve(&self, id: &str) -> Result<Batch> {
        self.state.lock().batch(id).map(|batch| batch.clone())
    }

    /// All, the oldest first.
    pub(super) fn all(&self) -> Vec<Batch> {
        self.state.lock().jobs.iter().map(|job| job.batch.clone()).collect()
    }

    pub(super) fn cancel(&self, id: &str) -> Result<Batch> {
        let mut state = self.state.lock();
        let is_current = state.current.as_deref() == Some(id);
        let batch = state.batch(id)?;
        match batch.status {
            BatchStatus::Cancelling | BatchStatus::Cancelled => {}
            BatchStatus::Validating | BatchStatus::InProgress => {
                batch.become_(BatchStatus::Cancelling);
                if !is_current {
                    batch.become_(BatchStatus::Cancelled);
                }
            }
            _ => {
                let message = "the batch cannot be cancelled: it has ended, or is about to";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
        Ok(batch.clone())
    }

    /// Starts a thread with `start`, unless one is there.
    pub(super) fn serve(&self, start: impl FnOnce() -> Result<JoinHandle<()>>) -> Result<()> {
        let mut state = self.state.lock();
        if !state.is_served {
            state.thread = Some(start()?);
            state.is_served = true;
        }
        Ok(())
    }

    /// The next batch for the thread; without one, it must end.
    pub(super) fn next(&self) -> Option<Task> {
        let mut state = self.state.lock();
        let waits = |job: &&Job| job.batch.status == BatchStatus::Validating;
        let task = state.jobs.iter().find(waits).map(|Job { batch, output_expires_after }| Task {
            id: batch.id.clone(),
            endpoint: batch.endpoint.clone(),
            input_file_id: batch.input_file_id.clone(),
            output_expires_after: *output_expires_after,
        });
        state.current = task.as_ref().map(|task| task.id.clone());
        state.is_served = task.is_some();
        task
    }

    /// Notes that the file has no faults.
    pub(super) fn begin(&self, id: &str, total: u64) {
        self.with(id, |batch| {
            batch.request_counts.total = total;
            if batch.status == BatchStatus::Validating {
                batch.become_(BatchStatus::InProgress);
            }
        });
    }

    /// Notes how far a batch is; returns whether it is to go on.
    pub(super) fn progress(&self, id: &str, counts: &BatchCounts) -> bool {
        self.with(id, |batch| {
            batch.request_counts =
                BatchRequestCounts { total: counts.total, completed: counts.completed, failed: counts.failed };
            batch.usage = Some(usage(counts));
            batch.status == BatchStatus::InProgress && !is_late(batch)
        })
        .unwrap_or(false)
    }

    /// Notes that only the files of results remain to be made.
    pub(super) fn finalize(&self, id: &str) {
        self.with(id, |batch| {
            let BatchRequestCounts { total, completed, failed } = batch.request_counts;
            if batch.status == BatchStatus::InProgress && completed + failed == total {
                batch.become_(BatchStatus::Finalizing);
            }
        });
    }

    /// Notes the end.
    pub(super) fn end(&self, id: &str, end: End) {
        self.with(id, |batch| {
            let errors = match end {
                End::Refused(faults) => faults,
                End::Ran { output_file_id, error_file_id, failure } => {
                    (batch.output_file_id, batch.error_file_id) = (output_file_id, error_file_id);
                    failure.into_iter().collect()
                }
            };
            let status = match batch.status {
                BatchStatus::Cancelling => BatchStatus::Cancelled,
                _ if !errors.is_empty() => BatchStatus::Failed,
                BatchStatus::Finalizing => BatchStatus::Completed,
                _ => BatchStatus::Expired,
            };
            if !errors.is_empty() {
                batch.errors = Some(BatchErrors { data: errors, ..BatchErrors::default() });
            }
            batch.become_(status);
        });
    }

    /// Forgets all, and returns when the thread has gone. The engine must be closed, or the thread would
    /// go on.
    pub(crate) fn close(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.jobs.clear();
            state.thread.take()
        };
        thread.into_iter().for_each(join_other);
    }

    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Batch) -> T) -> Option<T> {
        self.state.lock().batch(id).ok().map(work)
    }
}

impl State {
    fn batch(&mut self, id: &str) -> Result<&mut Batch> {
        let job = self.jobs.iter_mut().find(|job| job.batch.id == id);
        job.map(|job| &mut job.batch).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("No such batch: '{}'", shorten(id))).with_param("id")
        })
    }
}

impl Batch {
    /// Takes on a status, now.
    fn become_(&mut self, status: BatchStatus) {
        self.status = status;
        let stamp = match status {
            BatchStatus::Validating => return,
            BatchStatus::Failed => &mut self.failed_at,
            BatchStatus::InProgress => &mut self.in_progress_at,
            BatchStatus::Finalizing => &mut self.finalizing_at,
            BatchStatus::Completed => &mut self.completed_at,
            BatchStatus::Expired => &mut self.expired_at,
            BatchStatus::Cancelling => &mut self.cancelling_at,
            BatchStatus::Cancelled => &mut self.cancelled_at,
        };
        *stamp = Some(now());
    }
}

fn is_late(batch: &Batch) -> bool {
    batch.expires_at.is_some_and(|time| time <= now())
}

fn usage(counts: &BatchCounts) -> BatchUsage {
    BatchUsage {
        input_tokens: counts.input_tokens,
        input_tokens_details: BatchInputTokensDetails { cached_tokens: counts.cached_tokens },
        output_tokens: counts.output_tokens,
        output_tokens_details: BatchOutputTokensDetails { reasoning_tokens: counts.reasoning_tokens },
        total_tokens: counts.input_tokens + counts.output_tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> CreateBatchRequest {
        CreateBatchRequest::new("file-a", "/v1/embeddings")
    }

    fn ran() -> End {
        End::Ran { output_file_id: None, error_file_id: None, failure: None }
    }

    #[test]
    fn those_that_have_ended_go_first() {
        let jobs = BatchJobs { max_batches: 2, ..BatchJobs::default() };
        let [first, second] = [(); 2].map(|()| jobs.add(&request()).unwrap());
        let error = jobs.add(&request()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidRequest, Some("batch_limit_exceeded")));
        jobs.cancel(&second.id).unwrap();
        let third = jobs.add(&request()).unwrap();
        assert_eq!(jobs.all().into_iter().map(|batch| batch.id).collect::<Vec<_>>(), [first.id, third.id]);
    }

    #[test]
    fn a_batch_that_takes_too_long_expires() {
        // BA4
        let jobs = BatchJobs::default();
        let id = jobs.add(&request()).unwrap().id;
        assert_eq!(jobs.next().unwrap().id, id);
        jobs.begin(&id, 3);
        let counts = BatchCounts { total: 3, completed: 1, ..BatchCounts::default() };
        assert!(jobs.progress(&id, &counts));
        jobs.with(&id, |batch| batch.expires_at = Some(now())).unwrap();
        assert!(!jobs.progress(&id, &counts));
        jobs.finalize(&id);
        jobs.end(&id, ran());
        let batch = jobs.retrieve(&id).unwrap();
        assert_eq!(batch.status, BatchStatus::Expired);
        assert!(batch.expired_at.is_some() && batch.finalizing_at.is_none());
        assert_eq!(batch.request_counts, BatchRequestCounts { total: 3, completed: 1, failed: 0 });
    }

    #[test]
    fn a_batch_is_cancelled_at_any_time_before_its_end() {
        // BA4
        let jobs = BatchJobs::default();
        let [checked, waiting] = [(); 2].map(|()| jobs.add(&request()).unwrap().id);
        assert_eq!(jobs.next().unwrap().id, checked);
        assert_eq!(jobs.cancel(&waiting).unwrap().status, BatchStatus::Cancelled);
        assert_eq!(jobs.cancel(&checked).unwrap().status, BatchStatus::Cancelling);
        jobs.begin(&checked, 1);
        assert!(!jobs.progress(&checked, &BatchCounts { total: 1, ..BatchCounts::default() }));
        jobs.finalize(&checked);
        jobs.end(&checked, ran());
        let batch = jobs.cancel(&checked).unwrap();
        assert_eq!(batch.status, BatchStatus::Cancelled);
        assert!(batch.cancelling_at.is_some() && batch.cancelled_at.is_some() && batch.in_progress_at.is_none());
        assert!(jobs.next().is_none());
    }
}
