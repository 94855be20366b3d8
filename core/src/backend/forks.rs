//! Locks that a fork of the process must not find locked.

use std::marker::PhantomData;

use super::native;

/// While it lives, forks of the process wait.
///
/// For locks that a child needs, and that nobody keeps for long: whoever takes such a lock has this first.
#[derive(Debug)]
pub(crate) struct HeldForks(PhantomData<*const ()>);

impl HeldForks {
    pub(crate) fn new() -> Self {
        // SAFETY: they take no arguments. The lock is released by this thread, since the value is not `Send`.
        unsafe {
            native::zerohop_native_heed_forks();
            native::zerohop_native_hold_forks();
        }
        HeldForks(PhantomData)
    }
}

impl Drop for HeldForks {
    fn drop(&mut self) {
        // SAFETY: `new` took it, on this thread.
        unsafe { native::zerohop_native_release_forks() };
    }
}
