//! Logs, to a function of the host's.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::fmt::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use parking_lot::RwLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::error::{Failure, ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::guard::guard;
use crate::text::{Out, c_string};

/// How much a message matters. A smaller number matters more.
pub type zerohop_log_level = i32;

/// What went wrong; also llama.cpp's last words before it ends the process.
pub const ZEROHOP_LOG_LEVEL_ERROR: zerohop_log_level = 1;
/// What may go wrong.
pub const ZEROHOP_LOG_LEVEL_WARN: zerohop_log_level = 2;
/// What a host's own log may want to say.
pub const ZEROHOP_LOG_LEVEL_INFO: zerohop_log_level = 3;
/// What llama.cpp says while it loads a model.
pub const ZEROHOP_LOG_LEVEL_DEBUG: zerohop_log_level = 4;
/// Everything.
pub const ZEROHOP_LOG_LEVEL_TRACE: zerohop_log_level = 5;

/// Told what the library has to say: one line, without an end of line. `target` is
/// where it comes from, `zerohop` or `zerohop::llama` (llama.cpp). Both are valid
/// during the call.
///
/// Called on whichever thread has something to say, also on several at once and
/// while that thread is in a call of the library's. Must not call the library, wait
/// for a thread that does, throw, `longjmp` or end its thread; it holds up
/// computing, so it should be quick.
pub type zerohop_log_callback = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        level: zerohop_log_level,
        target: *const c_char,
        message: *const c_char,
    ),
>;

/// Sets where this process's logs of zerohop go: messages of `level` and those that
/// matter more. NULL for `callback` switches them off, which is how they begin.
///
/// When it returns, the callback that was set before is not running and will not be
/// called again, so that its `user_data` may go.
///
/// Any thread, but not from a log callback.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT`: a level that is none, or called from a log
/// callback. (And with `ZEROHOP_INTERNAL` in a Rust program that has linked cargo's own
/// static library, not the installed one, and has set a `tracing` subscriber.)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_log_set_callback(
    user_data: *mut c_void,
    callback: zerohop_log_callback,
    level: zerohop_log_level,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULL or a place that is writable in the call.
    let out_err = unsafe { Out::new(out_err) };
    guard(out_err, || {
        if IN_CALLBACK.get() {
            return Err(Failure::argument("callback", "cannot be changed from a log callback"));
        }
        if !(ZEROHOP_LOG_LEVEL_ERROR..=ZEROHOP_LOG_LEVEL_TRACE).contains(&level) {
            return Err(Failure::argument("level", &format!("is {level}, which is no zerohop_log_level")));
        }
        subscribe()?;
        let target = callback.map(|callback| Target { callback, user_data });
        // Waits for those that are running.
        let mut current = TARGET.write();
        WANTED.store(if target.is_some() { level } else { 0 }, Ordering::Relaxed);
        *current = target;
        Ok(ZEROHOP_OK)
    })
}

/// A log callback of the C caller's.
struct Target {
    callback: unsafe extern "C" fn(*mut c_void, zerohop_log_level, *const c_char, *const c_char),
    user_data: *mut c_void,
}

// SAFETY: the header says that the callback is called on any thread, on several at
// once, with this data.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

static TARGET: RwLock<Option<Target>> = RwLock::new(None);

/// The level that is wanted, beside the lock: most messages are not.
static WANTED: AtomicI32 = AtomicI32::new(0);

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Listens to `tracing`. This is the copy of it inside libzerohop: a host's own is
/// not touched.
fn subscribe() -> Result<(), Failure> {
    static SUBSCRIBED: OnceLock<bool> = OnceLock::new();
    if *SUBSCRIBED.get_or_init(|| tracing::subscriber::set_global_default(Logs).is_ok()) {
        return Ok(());
    }
    Err(Failure::internal("this program has set a tracing subscriber of its own, which gets the logs"))
}

struct Logs;

impl Subscriber for Logs {
    /// Asked each time: the level that is wanted changes.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && number(*metadata.level()) <= WANTED.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        // A message of a message would wait for itself.
        if IN_CALLBACK.get() {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let target = c_string(event.metadata().target());
        let message = line.finish();
        if let Some(Target { callback, user_data }) = &*TARGET.read() {
            IN_CALLBACK.set(true);
            // SAFETY: the C caller set a function of this type and the data it
            // wants, and takes them back only under the lock that is held here.
            unsafe {
                callback(*user_data, number(*event.metadata().level()), target.as_ptr(), message.as_ptr());
            }
            IN_CALLBACK.set(false);
        }
    }

    // Spans are none of a C log's business, and the core has none.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn number(level: Level) -> zerohop_log_level {
    match level {
        Level::ERROR => ZEROHOP_LOG_LEVEL_ERROR,
        Level::WARN => ZEROHOP_LOG_LEVEL_WARN,
        Level::INFO => ZEROHOP_LOG_LEVEL_INFO,
        Level::DEBUG => ZEROHOP_LOG_LEVEL_DEBUG,
        _ => ZEROHOP_LOG_LEVEL_TRACE,
    }
}

/// The message, then the other fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn finish(self) -> CString {
        c_string(&(self.message + &self.fields).replace('\n', " "))
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `String` cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
