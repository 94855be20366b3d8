//! Engines: loading and closing.

use std::time::Duration;

use zerohop::Engine;

use crate::dispatch::Dispatcher;
use crate::error::{ZEROHOP_OK, ZEROHOP_TIMEOUT, zerohop_error, zerohop_status};
use crate::growing;
use crate::guard::{guard, guard_or};
use crate::handle;
use crate::model::Models;
use crate::options::{zerohop_engine_options, zerohop_model_options};
use crate::text::{Out, required, zerohop_str};

/// Models in memory, ready for requests.
///
/// May be used by any number of threads at once, which is what it is made for:
/// their requests are computed together. Responses may outlive it; what is still
/// running in them ends with `ZEROHOP_CLOSED`.
#[derive(Debug)]
pub struct zerohop_engine {
    _private: [u8; 0],
}

/// What stands behind an engine's handle.
#[derive(Debug)]
pub(crate) struct EngineValue {
    core: Engine,
    models: Models,
    dispatcher: Dispatcher,
}

impl EngineValue {
    fn new(core: Engine) -> Self {
        EngineValue { core, models: Models::default(), dispatcher: Dispatcher::default() }
    }

    pub(crate) fn core(&self) -> &Engine {
        &self.core
    }

    pub(crate) fn models(&self) -> &Models {
        &self.models
    }

    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Lets requests end, then does as [`close`](Self::close). Gives whether all have
    /// ended by themselves.
    fn drain(&self, patience: Duration) -> bool {
        // A callback would wait for its own request.
        let patience = if self.dispatcher.is_calling() { Duration::ZERO } else { patience };
        let all_ended = self.core.drain(patience);
        self.dispatcher.close();
        all_ended
    }

    /// Ends all requests, then tells the callbacks so.
    fn close(&self) {
        self.core.close();
        self.dispatcher.close();
    }
}

impl Drop for EngineValue {
    fn drop(&mut self) {
        self.close();
    }
}

/// Loads models and makes an engine of them. Blocks until they are loaded.
///
/// `options` is only read, during the call. `*out` receives an engine that
/// `zerohop_engine_free` frees.
///
/// Any thread.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, an option out of range, a name
/// given twice), `ZEROHOP_MODEL_FILE`, `ZEROHOP_INVALID_MODEL` or
/// `ZEROHOP_UNAVAILABLE` (short of memory). A file that is no model is never more
/// than an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_new(
    options: *const zerohop_engine_options,
    out: *mut *mut zerohop_engine,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs or places that are writable in the call.
    let (out, out_err) = unsafe { (Out::new(out), Out::new(out_err)) };
    guard(out_err, || {
        let out = required(out, "out")?;
        // SAFETY: the C caller passes NULL, or options as the header describes
        // them, which stay as they are during the call.
        let engine = unsafe { growing::read(options, "options")?.to_core() }?.build()?;
        out.write(handle::give(Box::new(EngineValue::new(engine))));
        Ok(ZEROHOP_OK)
    })
}

/// Adds a model while the engine runs, and loads it unless it is loaded lazily. Blocks until
/// that is done; the other models and their requests go on meanwhile, and requests for the
/// new name wait.
///
/// `model` is only read, during the call, and its `progress` is called on this thread.
///
/// Any thread.
///
/// Fails as `zerohop_engine_new` does, also for a name that another model has, and with
/// `ZEROHOP_CLOSED`. The name is free again then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_load(
    engine: *const zerohop_engine,
    model: *const zerohop_model_options,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the call,
    // and a place that is writable in it.
    let (engine, out_err) = unsafe { (handle::borrow(engine), Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        // SAFETY: the C caller passes NULL, or options as the header describes
        // them, which stay as they are during the call.
        let (name, options) = unsafe { growing::read(model, "model")?.to_core("model") }?;
        engine.core().load(&name, options)?;
        Ok(ZEROHOP_OK)
    })
}

/// Unloads the model of this name or alias and forgets it. Its requests end at once with
/// status 503, `model_unloaded`, later ones get a 404; other models and their requests are
/// not disturbed. Blocks until the model's threads have gone. The name may then be loaded
/// again.
///
/// Any thread.
///
/// Fails with `ZEROHOP_NOT_FOUND`, `ZEROHOP_CLOSED`, or `ZEROHOP_INVALID_ARGUMENT` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_unload(
    engine: *const zerohop_engine,
    name: zerohop_str,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the call,
    // and a place that is writable in it.
    let (engine, out_err) = unsafe { (handle::borrow(engine), Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        // SAFETY: the C caller passes a text that stays as it is during the call.
        engine.core().unload(unsafe { name.text("name") }?)?;
        Ok(ZEROHOP_OK)
    })
}

/// Ends all requests and unloads the models: calls that are blocked, and streams
/// that are not complete, end with `ZEROHOP_CLOSED`, and so do requests of
/// `zerohop_submit`. Blocks until the engine's threads have gone, after the last
/// `on_done`. Later requests fail; closing twice, or NULL, does nothing. The engine
/// itself goes with `zerohop_engine_free`.
///
/// Any thread, also while others use the engine. In a callback of `zerohop_submit`
/// too: the callbacks of other requests then come after that callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_close(engine: *const zerohop_engine) {
    // SAFETY: the C caller passes NULL or an engine that it has not freed.
    let engine = unsafe { handle::borrow(engine) };
    guard_or((), || {
        if let Some(engine) = engine {
            engine.close();
        }
    });
}

/// Closes an engine gracefully: new requests get a reply with status 503, those that
/// have begun may end within `timeout_ms` milliseconds (`UINT64_MAX`: without limit), and
/// then it closes as `zerohop_engine_close` does. A request has ended when its answer has
/// been read, too: streams are read by other threads, or by callbacks.
///
/// Returns `ZEROHOP_OK` when all requests have ended by themselves, `ZEROHOP_TIMEOUT` when
/// some were cut off. Fails with `ZEROHOP_INVALID_ARGUMENT` for NULL.
///
/// Any thread, also while others use the engine; `zerohop_engine_close` on another thread
/// ends the waiting. In a callback of `zerohop_submit`, whose own request has not ended, it
/// waits for nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_drain(
    engine: *const zerohop_engine,
    timeout_ms: u64,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the call,
    // and a place that is writable in it.
    let (engine, out_err) = unsafe { (handle::borrow(engine), Out::new(out_err)) };
    guard(out_err, || {
        let patience = match timeout_ms {
            u64::MAX => Duration::MAX,
            milliseconds => Duration::from_millis(milliseconds),
        };
        let all_ended = required(engine, "engine")?.drain(patience);
        Ok(if all_ended { ZEROHOP_OK } else { ZEROHOP_TIMEOUT })
    })
}

/// Closes an engine, as `zerohop_engine_close` does, and frees it. NULL is ignored.
///
/// Any thread, once, when no call with this engine is running: where others may be
/// blocked in `zerohop_send`, call `zerohop_engine_close` and wait for them first.
/// Requests of `zerohop_submit` need not be waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_free(engine: *mut zerohop_engine) {
    // SAFETY: the C caller passes NULL or an engine of ours, and does not use it
    // again.
    let engine = unsafe { handle::take(engine) };
    guard_or((), || drop(engine));
}
