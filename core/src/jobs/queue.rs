//! The requests of a model that wait for a turn, those that wait first.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::ticket::Ticket;
use crate::api::error::{Error, Result};
use crate::backend::Stop;
use crate::call::Call;
use crate::metrics::ModelMeters;
use crate::threads::Ending;

/// How often is looked for requests that were cancelled or are late while they wait.
const PERIOD: Duration = Duration::from_millis(50);

/// A request that takes turns.
pub(crate) trait Job: Send {
    /// What its caller is told.
    type News: Send;
    /// How far it has come.
    type Progress: Send;

    fn ticket(&self) -> &Ticket<Self::News, Self::Progress>;

    /// What is left of it at its end.
    fn into_ticket(self) -> Ticket<Self::News, Self::Progress>;
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
    pub(super) fn push(&self, job: J) -> Result<()> {
        let mut state = self.state.lock();
        if state.ended {
            drop(state);
            let error = self.ending.error();
            job.into_ticket().fail(error.clone());
            return Err(error);
        }
        state.jobs.push_back(job);
        self.meters.queue_length.set(state.jobs.len());
        self.turn.notify_one();
        self.waiting.notify_one();
        Ok(())
    }

    /// Has the threads end, and what they compute, with `reason`.
    pub(super) fn end(&self, reason: Error) {
        self.ending.set(reason);
        let mut state = self.state.lock();
        state.ended = true;
        state.computing.iter().for_each(|stop| stop.abort.abort());
        self.turn.notify_all();
        self.waiting.notify_all();
    }

    /// Gives one request after another its turn until the end. A turn gives the last news when it was the last one.
    pub(crate) fn serve(&self, mut turn: impl FnMut(&mut J) -> Result<Option<J::News>>) {
        while let Some(mut job) = self.take() {
            let stop = job.ticket().stop.clone();
            let taken = catch_unwind(AssertUnwindSafe(|| turn(&mut job)));
            self.put_back(&stop);
            match taken {
                // At the end, it was told.
                Ok(Ok(None)) => drop(self.push(job)),
                Ok(Ok(Some(news))) => job.into_ticket().succeed(news),
                Ok(Err(error)) => job.into_ticket().fail(error),
                Err(_) => job.into_ticket().fail(Error::internal("the thread that computes met a fault")),
            }
        }
        self.fail_all();
    }

    /// The request whose turn it is; `None` at the end.
    fn take(&self) -> Option<J> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                state.computing.push(job.ticket().stop.clone());
                self.meters.queue_length.set(state.jobs.len());
                self.meters.slots_busy.set(state.computing.len());
                return Some(job);
            }
            self.turn.wait(&mut state);
        }
    }

    /// After a turn.
    fn put_back(&self, stop: &Stop) {
        let mut state = self.state.lock();
        state.computing.retain(|other| !other.abort.is_same(&stop.abort));
        self.meters.slots_busy.set(state.computing.len());
    }

    /// Fails those that wait, for good.
    fn fail_all(&self) {
        let jobs = {
            let mut state = self.state.lock();
            state.ended = true;
            mem::take(&mut state.jobs)
        };
        self.meters.queue_length.set(0);
        for job in jobs {
            job.into_ticket().fail(self.ending.error());
        }
    }

    /// Fails those that are cancelled or late while they wait, until the end.
    pub(super) fn end_waiting(&self) {
        let mut state = self.state.lock();
        while !state.ended {
            let is_over = |job: &J| job.ticket().stop.is_reached();
            if state.jobs.iter().any(is_over) {
                let (over, jobs): (VecDeque<_>, _) = mem::take(&mut state.jobs).into_iter().partition(is_over);
                state.jobs = jobs;
                self.meters.queue_length.set(state.jobs.len());
                MutexGuard::unlocked(&mut state, || {
                    for job in over {
                        let Ticket { stop, call, .. } = job.ticket();
                        let reason = self.reason(stop, call.as_deref());
                        job.into_ticket().fail(reason);
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
