//! Threads that prepare requests for callers who must not be held up: reading,
//! rendering and tokenising a long prompt takes longer than an event loop may stop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use parking_lot::Mutex;

use crate::api::error::{Error, ErrorKind, Result};
use crate::promise::{Promised, promise};
use crate::threads::join_other;

/// Requests that may wait for a thread. Preparing takes little time beside
/// computing, so that only a burst comes near it.
const QUEUE: usize = 4096;

/// Threads at most. What they do is short beside computing, and takes its
/// processors.
const MAX_THREADS: usize = 4;

/// When a full queue may have room again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// A few threads, started when the first job comes.
#[derive(Debug, Default)]
pub(crate) struct Workers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

impl Workers {
    /// Has `work` done by one of the threads. Dropping the result before that spares
    /// the work.
    ///
    /// # Errors
    ///
    /// `RateLimit` when too much work waits, `Closed` after [`close`](Self::close),
    /// `Unavailable` when no thread can be started.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<Promised<T>> {
        let jobs = self.jobs()?;
        let (promise, promised) = promise();
        let job = move || {
            if promise.is_wanted() {
                promise.fulfil(work());
            }
        };
        jobs.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => {
                Error::new(ErrorKind::RateLimit, format!("{QUEUE} requests wait already; try again later"))
                    .with_code("rate_limit_exceeded")
                    .with_retry_after(RETRY_AFTER)
            }
            TrySendError::Disconnected(_) => Error::closed(),
        })?;
        Ok(promised)
    }

    /// The way to the threads, which are started now if there are none.
    fn jobs(&self) -> Result<Sender<Job>> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(Error::closed());
        }
        if let Some(jobs) = &state.jobs {
            return Ok(jobs.clone());
        }
        let (sender, receiver) = crossbeam_channel::bounded(QUEUE);
        let count = thread::available_parallelism().map_or(1, |threads| threads.get().min(MAX_THREADS));
        for _ in 0..count {
            match start(receiver.clone()) {
                Ok(thread) => state.threads.push(thread),
                // One is enough.
                Err(_) if !state.threads.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        state.jobs = Some(sender.clone());
        Ok(sender)
    }

    /// Ends the threads and returns when they have gone. Work that waits is still
    /// done: its callers want an answer.
    pub(crate) fn close(&self) {
        let threads = {
            let mut state = self.0.lock();
            state.closed = true;
            state.jobs = None;
            std::mem::take(&mut state.threads)
        };
        threads.into_iter().for_each(join_other);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.close();
    }
}

fn start(jobs: Receiver<Job>) -> Result<JoinHandle<()>> {
    let run = move || {
        for job in jobs {
            // The caller hears of it because the job's promise is dropped.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    };
    thread::Builder::new().name("zerohop-prepare".to_owned()).spawn(run).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "a thread that prepares requests cannot start").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Poll;
    use std::time::Instant;

    use super::*;
    use crate::wait::Wait;

    fn result<T>(prepared: &Promised<T>) -> Result<T> {
        match prepared.advance(&mut Wait::Forever) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("waiting for ever ended"),
        }
    }

    #[test]
    fn work_is_done_elsewhere() {
        let workers = Workers::default();
        let caller = thread::current().id();
        let elsewhere = workers.run(move || thread::current().id() != caller).unwrap();
        assert!(result(&elsewhere).unwrap());
    }

    #[test]
    fn a_deadline_ends_the_wait_and_not_the_work() {
        let workers = Workers::default();
        let (sender, receiver) = crossbeam_channel::bounded::<u32>(1);
        let work = workers.run(move || receiver.recv()).unwrap();
        let deadline = Instant::now() + Duration::from_millis(10);
        assert!(work.advance(&mut Wait::Until(deadline)).is_pending());
        sender.send(7).unwrap();
        assert_eq!(result(&work).unwrap(), Ok(7));
    }

    #[test]
    fn a_panic_is_an_error_of_the_one_request() {
        let workers = Workers::default();
        for _ in 0..2 * MAX_THREADS {
            let failing = workers.run(|| std::panic::resume_unwind(Box::new("no"))).unwrap();
            assert_eq!(result::<()>(&failing).unwrap_err().kind(), ErrorKind::Internal);
        }
        assert_eq!(result(&workers.run(|| 1).unwrap()).unwrap(), 1);
    }

    #[test]
    fn what_nobody_waits_for_is_not_begun() {
        let workers = Workers::default();
        let (sender, receiver) = crossbeam_channel::bounded::<()>(0);
        let begun = Arc::new(AtomicBool::new(false));
        let blockers: Vec<_> = (0..MAX_THREADS)
            .map(|_| {
                let receiver = receiver.clone();
                workers.run(move || receiver.recv()).unwrap()
            })
            .collect();
        let seen = begun.clone();
        drop(workers.run(move || seen.store(true, Ordering::Relaxed)).unwrap());
        drop(sender);
        for blocker in blockers {
            assert!(result(&blocker).unwrap().is_err());
        }
        workers.close();
        assert!(!begun.load(Ordering::Relaxed));
    }

    #[test]
    fn closing_answers_what_waits_and_refuses_more() {
        let workers = Workers::default();
        let waiting = workers.run(|| 3).unwrap();
        workers.close();
        assert_eq!(result(&waiting).unwrap(), 3);
        assert_eq!(workers.run(|| 3).unwrap_err().kind(), ErrorKind::Closed);
        workers.close();
    }
}
