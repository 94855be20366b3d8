//! Requests whose replies come to callbacks.

use std::ffi::c_void;
use std::ptr;

use crate::engine::zerohop_engine;
use crate::error::{Failure, ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::growing::{self, Growing};
use crate::guard::guard;
use crate::handle;
use crate::request::zerohop_request;
use crate::response::{Response, zerohop_response};
use crate::text::{Out, required, zerohop_str};

/// Told of an event of a stream: `event` is its JSON, as from
/// `zerohop_response_next`. Returns false to cancel the request.
///
/// `response` is there for its status, headers and `zerohop_response_text`. It is
/// the library's; it and `event` are valid during the call.
///
/// Called on the engine's thread for callbacks; see `zerohop_submit` for what that
/// may do.
pub type zerohop_event_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, response: *mut zerohop_response, event: zerohop_str) -> bool>;

/// Told that a request is over: the last call for it, and the only one of this kind.
///
/// `status` is `ZEROHOP_OK` when the reply is complete: `response` is the whole
/// reply, or a stream whose events have all been given to `on_event`. It is
/// `ZEROHOP_CANCELLED` for a cancelled request. Below 0 the request has failed, with
/// `ZEROHOP_CLOSED` or `ZEROHOP_PANIC`, and `error` says why. A reply such as a 400 or
/// a 429 is a response.
///
/// `response` and `error` now belong to the callee, each NULL if there is none; they
/// may be passed to another thread. A stream that was cancelled or has failed has a
/// response too, if it had begun.
///
/// Called on the engine's thread for callbacks.
pub type zerohop_done_callback = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        status: zerohop_status,
        response: *mut zerohop_response,
        error: *mut zerohop_error,
    ),
>;

/// Where a reply goes. Fill it with `zerohop_callbacks_init`, then set `on_done`, and
/// `on_event` for streams.
///
/// Only read, and only during `zerohop_submit`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_callbacks {
    /// The size of this struct as the caller knows it; set by the init function.
    pub struct_size: usize,
    /// Passed to the callbacks. It must stay until `on_done`, where it can be freed.
    pub user_data: *mut c_void,
    /// Called for each event of a stream; NULL to pass over them.
    pub on_event: zerohop_event_callback,
    /// Called at the end. Required.
    pub on_done: zerohop_done_callback,
}

// SAFETY: `repr(C)`, size first; a pointer and nullable function pointers.
unsafe impl Growing for zerohop_callbacks {
    const DEFAULT: Self =
        zerohop_callbacks { struct_size: size_of::<Self>(), user_data: ptr::null_mut(), on_event: None, on_done: None };
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Fills callbacks with their defaults. `struct_size` is `sizeof(zerohop_callbacks)`.
/// Does nothing for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_callbacks_init(callbacks: *mut zerohop_callbacks, struct_size: usize) {
    // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
    unsafe { growing::init(callbacks, struct_size) };
}

/// Sends a request without waiting: its reply comes to callbacks. For event loops
/// and other programs that must not block; needs no thread for each request.
///
/// With `ZEROHOP_OK`, `on_done` is called exactly once, whatever becomes of the
/// request: also when it is refused, cancelled, or the engine is closed or freed.
/// With any other result nothing was begun and no callback is called, so that
/// `user_data` is still the caller's. The request's token cancels it, as does
/// `on_event` by returning false.
///
/// All callbacks of an engine are called on one thread of its own, one after the
/// other, never in this call. Those of one request come in order. A callback that
/// takes long holds up the others, but not computing. It may call the library, also
/// `zerohop_submit`, `zerohop_engine_close` and `zerohop_engine_free`; not wait for
/// another callback, nor call `zerohop_send`, which holds up the others until it
/// returns. It must not throw, `longjmp` or end its thread.
///
/// Any thread, also while others use the engine.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, no `on_done`, a text that is no
/// method, path or header), `ZEROHOP_CLOSED` or `ZEROHOP_UNAVAILABLE` (no thread can be
/// started).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_submit(
    engine: *const zerohop_engine,
    request: *const zerohop_request,
    callbacks: *const zerohop_callbacks,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the
    // call, and a place that is writable in it.
    let (engine, out_err) = unsafe { (handle::borrow(engine), Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        // SAFETY: the C caller passes NULL or a request and callbacks as the header
        // describes them, which stay as they are during the call; so does the token.
        let (request, token, callbacks) = unsafe {
            let request = growing::read(request, "request")?;
            let callbacks = growing::read(callbacks, "callbacks")?;
            (request.to_http()?.map(<[u8]>::to_vec), handle::share(request.cancel), callbacks)
        };
        engine.dispatcher().submit(engine.core(), request, Callbacks::new(callbacks)?, token)?;
        Ok(ZEROHOP_OK)
    })
}

/// The C caller's callbacks for one request.
#[derive(Debug)]
pub(crate) struct Callbacks {
    user_data: *mut c_void,
    on_event: zerohop_event_callback,
    on_done: unsafe extern "C" fn(*mut c_void, zerohop_status, *mut zerohop_response, *mut zerohop_error),
}

// SAFETY: the header says that the callbacks are called on another thread, with this
// data.
unsafe impl Send for Callbacks {}

impl Callbacks {
    fn new(callbacks: zerohop_callbacks) -> Result<Self, Failure> {
        let zerohop_callbacks { user_data, on_event, .. } = callbacks;
        let on_done = required(callbacks.on_done, "callbacks.on_done")?;
        Ok(Callbacks { user_data, on_event, on_done })
    }

    /// Whether the caller wants to go on.
    pub(crate) fn event(&self, response: &Response, event: zerohop_str) -> bool {
        let response = handle::lend(response);
        // SAFETY: the C caller set a function of this type and the data it wants;
        // response and event outlive the call.
        self.on_event.is_none_or(|on_event| unsafe { on_event(self.user_data, response, event) })
    }

    /// Ends the request.
    pub(crate) fn done(self, response: Option<Box<Response>>, outcome: Result<zerohop_status, Failure>) {
        let response = response.map_or(ptr::null_mut(), handle::give);
        let (status, error) = match outcome {
            Ok(status) => (status, ptr::null_mut()),
            Err(failure) => (failure.status(), failure.into_error()),
        };
        // SAFETY: as above; response and error now belong to the C caller.
        unsafe { (self.on_done)(self.user_data, status, response, error) };
    }
}
