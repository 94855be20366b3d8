//! Engines: loading and closing.

use zerohop::Engine;

use crate::dispatch::Dispatcher;
use crate::error::{ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::guard::{guard, guard_or};
use crate::handle;
use crate::model::Model;
use crate::options::{self, zerohop_engine_options};
use crate::text::{Out, required};

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
    models: Vec<Model>,
    dispatcher: Dispatcher,
}

impl EngineValue {
    fn new(core: Engine) -> Self {
        let models = core.model_info().iter().map(Model::new).collect();
        EngineValue { core, models, dispatcher: Dispatcher::default() }
    }

    pub(crate) fn core(&self) -> &Engine {
        &self.core
    }

    pub(crate) fn models(&self) -> &[Model] {
        &self.models
    }

    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
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
        let models = unsafe { options::read(options, "options")?.models() }?;
        let builder = Engine::builder();
        let engine = models.into_iter().fold(builder, |builder, (name, model)| builder.model(name, model)).build()?;
        out.write(handle::give(Box::new(EngineValue::new(engine))));
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
