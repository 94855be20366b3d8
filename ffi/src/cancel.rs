//! Cancelling from another thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;
use zerohop::CancelHandle;

use crate::guard::guard_or;
use crate::handle;

/// Cancels requests from any thread: while `zerohop_send` or
/// `zerohop_response_next` blocks in another, or after `zerohop_submit`.
///
/// One token may be given to any number of requests; it works once, for all of
/// them, and later ones too. May be used by several threads at once. Nothing that
/// it was given to needs it to stay: it may be freed at any time.
#[derive(Debug)]
pub struct zerohop_cancel_token {
    _private: [u8; 0],
}

#[derive(Debug, Default)]
pub(crate) struct CancelToken(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: bool,
    requests: HashMap<u64, Cancel>,
    next_id: u64,
}

/// How a token ends a request.
#[derive(Debug)]
pub(crate) enum Cancel {
    /// A call blocks in it.
    Request(CancelHandle),
    /// The thread for callbacks looks at the token when it is woken.
    Wake(Waker),
}

impl Cancel {
    fn run(&self) {
        match self {
            Cancel::Request(handle) => handle.cancel(),
            Cancel::Wake(waker) => waker.wake_by_ref(),
        }
    }
}

/// A request's entry in a token, removed when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    token: Arc<CancelToken>,
    id: u64,
}

impl CancelToken {
    fn cancel(&self) {
        let requests = {
            let mut state = self.0.lock();
            state.cancelled = true;
            std::mem::take(&mut state.requests)
        };
        requests.values().for_each(Cancel::run);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.lock().cancelled
    }

    /// Lets the token cancel a request, which it does at once if it has been used.
    pub(crate) fn register(self: &Arc<Self>, request: Cancel) -> Registration {
        let mut state = self.0.lock();
        let id = state.next_id;
        state.next_id += 1;
        if state.cancelled {
            request.run();
        } else {
            state.requests.insert(id, request);
        }
        Registration { token: self.clone(), id }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.token.0.lock().requests.remove(&self.id);
    }
}

/// Makes a token. Free it with `zerohop_cancel_token_free`.
///
/// Any thread. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn zerohop_cancel_token_new() -> *mut zerohop_cancel_token {
    guard_or(std::ptr::null_mut(), || handle::give(Arc::new(CancelToken::default())))
}

/// Makes a second handle to the same token, for an owner of its own: cancelling
/// one cancels both, and each is freed by itself. NULL for NULL.
///
/// Any thread, also while others use the token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_cancel_token_clone(token: *const zerohop_cancel_token) -> *mut zerohop_cancel_token {
    // SAFETY: the C caller passes NULL or a token that it has not freed.
    let token = unsafe { handle::share(token) };
    token.map_or(std::ptr::null_mut(), handle::give)
}

/// Cancels every request that was or will be given this token. Blocked calls
/// return `ZEROHOP_CANCELLED`; a reply that is complete already is still handed
/// out. The engine stops computing at its next step. NULL is ignored, and so is
/// doing it again.
///
/// Any thread, also while others use the token. Takes a lock for a moment, so do
/// not call it from a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_cancel_token_cancel(token: *const zerohop_cancel_token) {
    // SAFETY: the C caller passes NULL or a token that it has not freed.
    let token = unsafe { handle::borrow(token) };
    guard_or((), || {
        if let Some(token) = token {
            token.cancel();
        }
    });
}

/// Whether `zerohop_cancel_token_cancel` was called; false for NULL.
///
/// Any thread, also while others use the token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_cancel_token_is_cancelled(token: *const zerohop_cancel_token) -> bool {
    // SAFETY: the C caller passes NULL or a token that it has not freed.
    let token = unsafe { handle::borrow(token) };
    guard_or(false, || token.is_some_and(CancelToken::is_cancelled))
}

/// Frees one handle of a token. Requests that were given it run on, and can still
/// be cancelled through its other handles. NULL is ignored.
///
/// Any thread, once per handle, when no other thread uses this handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_cancel_token_free(token: *mut zerohop_cancel_token) {
    // SAFETY: the C caller passes NULL or a token of ours, and does not use it
    // again.
    let token = unsafe { handle::take(token) };
    guard_or((), || drop(token));
}
