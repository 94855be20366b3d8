//! The requests of a model that wait for a turn, those that wait first.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::api::error::Error;
use crate::backend::Stop;
use crate::call::Call;
use crate::metrics::ModelMeters;
use crate::threads::Ending;

/// How often is looked for requests that were cancelled or are late while they wait.
const PERIOD: Duration = Duration::from_millis(50);

/// A request that takes turns.
pub(crate) trait Job: Send {
    /// What ends it before its time.
    fn stop(&self) -> &Stop;

    fn call(&self) -> Option<&Call>;

    /// Tells who waits for it why nothing comes of it.
    fn fail(self, error: Error);
}

/// What the threads of a model share.
pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    /// Tells the threads that compute.
    turn: Condvar,
    /// Tells the thread that [ends the waiting](Self::end_waiting).
    waiting: Condvar,
    meters: Arc<ModelMeters>,
    ending: Ending,
}

struct State<J> {
    jobs: VecDeque<J>,
    /// What ends those that are being computed.
    computing: Vec<Stop>,
    ended: bool,
}

impl<J: Job> Queue<J> {
    pub(crate) fn new(meters: Arc<ModelMeters>) -> Self {
        Queue {
            state: Mutex::new(State { jobs: VecDeque::new(), computing: Vec::new(), ended: false }),
            turn: Condvar::new(),
            waiting: Condvar::new(),
            meters,
            ending: Ending::default(),
        }
    }

    /// Adds a request, at the end.
    ///
    /// # Errors
    ///
    /// Why there will be no thread for it, which the request was told too.
    pub(crate) fn push(&self, job: J) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.ended {
            drop(state);
            let error = self.ending.error();
            job.fail(error.clone());
            return Err(error);
        }
        state.jobs.push_back(job);
        self.meters.queue_length.set(state.jobs.len());
        self.turn.notify_one();
        self.waiting.notify_one();
        Ok(())
    }

    /// Has the threads end, and what they compute, with `reason`.
    pub(crate) fn end(&self, reason: Error) {
        self.ending.set(reason);
        let mut state = self.state.lock();
        state.ended = true;
        state.computing.iter().for_each(|stop| stop.abort.abort());
        self.turn.notify_all();
        self.waiting.notify_all();
    }

    /// The request whose turn it is; `None` at the end.
    pub(crate) fn take(&self) -> Option<J> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                state.computing.push(job.stop().clone());
                self.meters.queue_length.set(state.jobs.len());
                self.meters.slots_busy.set(state.computing.len());
                return Some(job);
            }
            self.turn.wait(&mut state);
        }
    }

    /// After a turn.
    pub(crate) fn put_back(&self, stop: &Stop) {
        let mut state = self.state.lock();
        state.computing.retain(|other| !other.abort.is_same(&stop.abort));
        self.meters.slots_busy.set(state.computing.len());
    }

    /// Fails those that wait, for good.
    pub(crate) fn fail_all(&self) {
        let jobs = {
            let mut state = self.state.lock();
            state.ended = true;
            mem::take(&mut state.jobs)
        };
        self.meters.queue_length.set(0);
        for job in jobs {
            job.fail(self.ending.error());
        }
    }

    /// Fails those that are cancelled or late while they wait, until the end.
    pub(crate) fn end_waiting(&self) {
        let mut state = self.state.lock();
        while !state.ended {
            if state.jobs.iter().any(|job| job.stop().is_reached()) {
                let (over, jobs): (VecDeque<_>, _) =
                    mem::take(&mut state.jobs).into_iter().partition(|job: &J| job.stop().is_reached());
                state.jobs = jobs;
                self.meters.queue_length.set(state.jobs.len());
                MutexGuard::unlocked(&mut state, || {
                    for job in over {
                        let reason = self.reason(job.stop(), job.call());
                        job.fail(reason);
                    }
                });
            } else if state.jobs.is_empty() {
                self.waiting.wait(&mut state);
            } else {
                self.waiting.wait_for(&mut state, PERIOD);
            }
        }
    }

    /// Why a request is not to go on.
    pub(crate) fn reason(&self, stop: &Stop, call: Option<&Call>) -> Error {
        if self.state.lock().ended {
            return self.ending.error();
        }
        let is_late = stop.deadline.is_some_and(|deadline| deadline <= Instant::now());
        call.filter(|_| is_late).map_or_else(Error::cancelled, Call::timeout)
    }
}
