//! The edge of the library: no panic gets past it, and none prints.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::thread;

use crate::error::{Failure, ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::text::Out;

thread_local! {
    /// Guarded calls on this thread, one inside the other: a callback may call
    /// the library again.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Where the last panic of a guarded call was.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the body of an entry point: turns what it returns, or a panic, into a
/// status and, for failures, an owned error in `out_err`.
pub(crate) fn guard(
    out_err: Option<Out<'_, *mut zerohop_error>>,
    body: impl FnOnce() -> Result<zerohop_status, Failure>,
) -> zerohop_status {
    let failure = match catch(body) {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => failure,
        Err(message) => Failure::panic(&message),
    };
    let status = failure.status();
    if let (Some(out_err), true) = (out_err, status < ZEROHOP_OK) {
        out_err.write(failure.into_error());
    }
    status
}

/// Runs the body of an entry point that cannot fail; `fallback` if it panics.
pub(crate) fn guard_or<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch(body).unwrap_or(fallback)
}

fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    keep_panics_quiet();
    DEPTH.set(DEPTH.get() + 1);
    // What a panic leaves half done lies behind locks that are released, and in
    // values that the caller can only free.
    let result = catch_unwind(AssertUnwindSafe(body));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| {
        let location = LOCATION.take().unwrap_or_default();
        format!("{}{location}", message(payload.as_ref()))
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Rust's default panic hook prints to the host's stderr. The hook that is
/// replaced here is that of the Rust library inside libzerohop, which a host, even
/// one in Rust, has no access to; so this takes nothing away from anybody, and
/// nobody can do the same at the same time. In a program that links the static
/// library into Rust code of its own, the hook that was there still runs for all
/// panics but ours.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !note(info) {
                previous(info);
            }
        }));
    });
}

/// Whether a panic is ours, and thus turned into an error somewhere.
fn note(info: &PanicHookInfo<'_>) -> bool {
    if DEPTH.get() > 0 {
        LOCATION.set(info.location().map(|place| format!(" ({}:{})", place.file(), place.line())));
        return true;
    }
    // The core's own threads catch their panics and fail the requests.
    thread::current().name().is_some_and(|name| name.starts_with("zerohop-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{
        ZEROHOP_CANCELLED, ZEROHOP_INVALID_ARGUMENT, ZEROHOP_PANIC,
        tests::{failure_with, take_error},
    };

    fn guarded(body: impl FnOnce() -> Result<zerohop_status, Failure>) -> (zerohop_status, *mut zerohop_error) {
        let mut error = std::ptr::null_mut();
        // SAFETY: `error` outlives the call.
        let out_err = unsafe { Out::new(&raw mut error) };
        (guard(out_err, body), error)
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_place() {
        let (status, error) = guarded(|| panic!("a test's {}", "panic"));
        assert_eq!(status, ZEROHOP_PANIC);
        let error = take_error(error);
        let message = error.message.to_str().unwrap();
        assert!(message.contains("a test's panic") && message.contains("guard.rs:"), "{message}");
    }

    #[test]
    fn guards_nest() {
        let (status, _) = guarded(|| {
            assert!(guard_or(true, || panic!("inner")));
            assert_eq!(DEPTH.get(), 1);
            Ok(7)
        });
        assert_eq!(status, 7);
        assert_eq!(DEPTH.get(), 0);
    }

    #[test]
    fn failures_give_an_error_and_outcomes_do_not() {
        let (status, error) = guarded(|| Err(Failure::argument("x", "no good")));
        assert_eq!(status, ZEROHOP_INVALID_ARGUMENT);
        assert_eq!(take_error(error).param.as_deref(), Some(c"x"));

        let (status, error) = guarded(|| Err(failure_with(ZEROHOP_CANCELLED)));
        assert_eq!(status, ZEROHOP_CANCELLED);
        assert!(error.is_null());
    }

    #[test]
    fn nobody_need_take_the_error() {
        assert_eq!(guard(None, || panic!("unseen")), ZEROHOP_PANIC);
    }
}
