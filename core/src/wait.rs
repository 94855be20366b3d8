//! Waiting for what another thread does: blocking, until a deadline, or as a task.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// How to wait for something: [`Poll::Pending`] then means that the deadline has
/// passed, or that the task will be woken.
#[derive(Debug)]
pub(crate) enum Wait<'a, 'b> {
    /// Block this thread.
    Forever,
    /// Block this thread until then.
    Until(Instant),
    /// Do not block; wake this task.
    Task(&'a mut Context<'b>),
}

/// Blocks this thread until `advance`, which waits as it is told, is ready.
pub(crate) fn block<T>(advance: impl FnOnce(&mut Wait<'_, '_>) -> Poll<T>) -> T {
    match advance(&mut Wait::Forever) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a wait without deadline ended with nothing"),
    }
}

/// A state that some threads change and one waits for.
#[derive(Debug, Default)]
pub(crate) struct Watched<S> {
    inner: Mutex<Inner<S>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner<S> {
    state: S,
    waker: Option<Waker>,
}

impl<S> Watched<S> {
    pub(crate) fn new(state: S) -> Self {
        Watched { inner: Mutex::new(Inner { state, waker: None }), changed: Condvar::new() }
    }

    /// Changes the state and wakes who waits for it.
    pub(crate) fn update(&self, change: impl FnOnce(&mut S)) {
        let waker = {
            let mut inner = self.inner.lock();
            change(&mut inner.state);
            inner.waker.take()
        };
        self.changed.notify_one();
        if let Some(waker) = waker {
            // A host's waker may panic, others must not suffer, and this may run while
            // a panic unwinds.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }

    /// Waits, as `wait` says, until `take` finds something in the state.
    pub(crate) fn take<T>(&self, wait: &mut Wait<'_, '_>, mut take: impl FnMut(&mut S) -> Option<T>) -> Poll<T> {
        let mut inner = self.inner.lock();
        loop {
            if let Some(value) = take(&mut inner.state) {
                return Poll::Ready(value);
            }
            match wait {
                Wait::Forever => self.changed.wait(&mut inner),
                Wait::Until(deadline) => {
                    if self.changed.wait_until(&mut inner, *deadline).timed_out() {
                        return take(&mut inner.state).map_or(Poll::Pending, Poll::Ready);
                    }
                }
                Wait::Task(context) => {
                    inner.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}
