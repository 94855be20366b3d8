//! Threads with stacks as large as their work needs, within a bound for all.

use std::thread;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::api::error::{Error, ErrorKind, Result};

/// Runs work on stacks of a given size. Together they reserve no more than a
/// fixed amount of address space; who comes too many waits, first come first
/// served.
#[derive(Debug)]
pub(super) struct LargeStacks {
    /// Held by the one caller whose turn it is to wait for free bytes.
    turn: Mutex<()>,
    free: Mutex<usize>,
    freed: Condvar,
    total: usize,
}

/// Bytes taken from the total until this is dropped.
struct Reserved<'a> {
    stacks: &'a LargeStacks,
    bytes: usize,
}

impl LargeStacks {
    pub(super) fn new(total: usize) -> Self {
        LargeStacks { turn: Mutex::new(()), free: Mutex::new(total), freed: Condvar::new(), total }
    }

    /// Runs `work` on a thread of its own, called after what it does, and waits
    /// for it.
    ///
    /// # Errors
    ///
    /// `work`'s own; `Unavailable` when the system has no room for the stack.
    pub(super) fn run<T: Send>(&self, size: usize, name: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let _reserved = self.reserve(size);
        thread::scope(|scope| {
            thread::Builder::new()
                .name(format!("zerohop-{name}"))
                .stack_size(size)
                .spawn_scoped(scope, work)
                .map_err(|error| {
                    Error::new(ErrorKind::Unavailable, format!("no memory for a thread to {name}; try a shorter text"))
                        .with_source(error)
                })?
                .join()
                .unwrap_or_else(|_| Err(Error::internal(format!("a thread failed to {name}"))))
        })
    }

    /// Waits until `size` bytes are free, or everything is, where `size` is more
    /// than that.
    fn reserve(&self, size: usize) -> Reserved<'_> {
        let bytes = size.min(self.total);
        let turn = self.turn.lock();
        let mut free = self.free.lock();
        while *free < bytes {
            self.freed.wait(&mut free);
        }
        *free -= bytes;
        drop(free);
        // To who has waited longest, not to who comes just now.
        MutexGuard::unlock_fair(turn);
        Reserved { stacks: self, bytes }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        *self.stacks.free.lock() += self.bytes;
        self.stacks.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn many_threads_stay_within_the_total() {
        let stacks = LargeStacks::new(8 * MIB);
        let (used, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for caller in 0..64 {
                // One of them wants more than there is, and gets it alone.
                let size = if caller == 40 { 64 * MIB } else { (1 + caller % 5) * MIB };
                let counted = size.min(8 * MIB);
                let (stacks, used, most, done) = (&stacks, &used, &most, &done);
                scope.spawn(move || {
                    for _ in 0..4 {
                        let work = || {
                            most.fetch_max(used.fetch_add(counted, Ordering::SeqCst) + counted, Ordering::SeqCst);
                            thread::yield_now();
                            used.fetch_sub(counted, Ordering::SeqCst);
                            Ok(done.fetch_add(1, Ordering::SeqCst))
                        };
                        stacks.run(size, "test", work).unwrap();
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 256);
        assert!(most.into_inner() <= 8 * MIB);
        assert_eq!(stacks.free.into_inner(), 8 * MIB);
    }

    #[test]
    fn work_that_fails_gives_its_stack_back() {
        let stacks = LargeStacks::new(MIB);
        let failed = stacks.run(MIB, "test", || -> Result<()> { Err(Error::closed()) });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Closed);
        let panicked = stacks.run(MIB, "test", || -> Result<()> { panic!("as asked") });
        assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Internal);
        let refused = stacks.run(usize::MAX / 4, "test", || Ok(()));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(stacks.run(MIB, "test", || Ok(1)).unwrap(), 1);
    }
}
