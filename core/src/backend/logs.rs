//! llama.cpp's and ggml's logs, sent to `tracing` and nowhere else.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::panic::catch_unwind;
use std::ptr;

use llama_cpp_sys_2 as sys;

use super::{Abort, media, native, speech};

thread_local! {
    /// The line being put together: llama.cpp logs in fragments.
    static LINE: RefCell<Line> = const { RefCell::new(Line { level: sys::GGML_LOG_LEVEL_NONE, text: String::new() }) };
    /// Error lines of this thread, while somebody collects them.
    static ERRORS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    /// What may end this thread's decode, while there is one.
    static ABORT: RefCell<Option<Abort>> = const { RefCell::new(None) };
}

struct Line {
    level: sys::ggml_log_level,
    text: String,
}

/// Takes over the native loggers. They are this library's own copy of
/// llama.cpp's, so the host's logging is not touched.
pub(super) fn redirect() {
    // SAFETY: the callbacks are functions that live as long as the process,
    // and none uses its user data.
    unsafe {
        native::zerohop_native_silence_common();
        sys::llama_log_set(Some(log), ptr::null_mut());
        speech::zerohop_speech_on_log(log);
        media::zerohop_media_on_log(log);
        native::zerohop_native_on_fault(on_fault);
    }
}

/// Runs `body` and gives back the error lines that this thread logged meanwhile:
/// llama.cpp says why a file was refused only in its log.
pub(super) fn collect_errors<T>(body: impl FnOnce() -> T) -> (T, Vec<String>) {
    ERRORS.with_borrow_mut(|errors| *errors = Some(Vec::new()));
    let value = body();
    let errors = ERRORS.with_borrow_mut(Option::take).unwrap_or_default();
    (value, errors)
}

/// Runs a decode. What llama.cpp calls an error when `abort` has ended it is none.
pub(super) fn expecting<T>(abort: &Abort, body: impl FnOnce() -> T) -> T {
    ABORT.with_borrow_mut(|current| *current = Some(abort.clone()));
    let value = body();
    ABORT.with_borrow_mut(|current| *current = None);
    value
}

unsafe extern "C" fn log(level: sys::ggml_log_level, text: *const c_char, _user_data: *mut c_void) {
    // SAFETY: llama.cpp passes a NUL-terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    // A host's subscriber may panic, and C++ frames lie above us.
    let _ = catch_unwind(|| append(level, &text));
}

unsafe extern "C" fn on_fault(message: *const c_char, is_fatal: bool) {
    // SAFETY: ggml passes a NUL-terminated string that lives for this call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let _ = catch_unwind(|| {
        if is_fatal {
            tracing::error!(target: "zerohop::llama", "ggml is aborting: {message}");
        } else {
            tracing::error!(target: "zerohop::llama", "an assertion failed, and the call with it: {message}");
        }
    });
}

fn append(level: sys::ggml_log_level, text: &str) {
    LINE.with_borrow_mut(|line| {
        if level != sys::GGML_LOG_LEVEL_CONT {
            line.level = level;
        }
        line.text.push_str(text);
        while let Some(end) = line.text.find('\n') {
            let whole: String = line.text.drain(..=end).collect();
            emit(line.level, whole.trim_end());
        }
    });
}

fn emit(level: sys::ggml_log_level, line: &str) {
    if line.is_empty() {
        return;
    }
    let is_expected = || ABORT.with_borrow(|abort| abort.as_ref().is_some_and(Abort::is_aborted));
    // llama.cpp's "info" is a running commentary on loading: debug for a host.
    match level {
        sys::GGML_LOG_LEVEL_ERROR if is_expected() => tracing::debug!(target: "zerohop::llama", "{line}"),
        sys::GGML_LOG_LEVEL_ERROR => {
            ERRORS.with_borrow_mut(|errors| {
                if let Some(errors) = errors {
                    errors.push(line.to_owned());
                }
            });
            tracing::error!(target: "zerohop::llama", "{line}");
        }
        sys::GGML_LOG_LEVEL_WARN => tracing::warn!(target: "zerohop::llama", "{line}"),
        sys::GGML_LOG_LEVEL_INFO => tracing::debug!(target: "zerohop::llama", "{line}"),
        _ => tracing::trace!(target: "zerohop::llama", "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::process::Command;

    use tracing::field::{Field, Visit};
    use tracing::{Event, Metadata, Subscriber, span};

    use super::*;

    /// Writes errors into the file that this variable names.
    const REPORT: &str = "ZEROHOP_TEST_FAULT_REPORT";

    struct Reporter(String);

    impl Subscriber for Reporter {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "zerohop::llama"
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn event(&self, event: &Event<'_>) {
            struct Text(String);
            impl Visit for Text {
                fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                    let _ = write!(self.0, "{}={value:?}", field.name());
                }
            }
            let mut text = Text(String::new());
            event.record(&mut text);
            std::fs::write(&self.0, text.0).unwrap();
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn an_assertion_is_reported_before_the_process_ends() {
        if let Ok(report) = std::env::var(REPORT) {
            redirect();
            let _reporter = tracing::subscriber::set_default(Reporter(report));
            // SAFETY: the strings are NUL-terminated and ask for no arguments.
            unsafe { sys::ggml_abort(c"here.c".as_ptr(), 7, c"as asked".as_ptr()) };
        }
        let report = std::env::temp_dir().join(format!("zerohop-fault-{}", std::process::id()));
        let name = "backend::logs::tests::an_assertion_is_reported_before_the_process_ends";
        let status = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env(REPORT, &report)
            .output()
            .unwrap()
            .status;
        assert!(!status.success());
        let text = std::fs::read_to_string(&report).unwrap();
        assert!(text.contains("ggml is aborting: here.c:7: as asked"), "{text}");
        std::fs::remove_file(report).unwrap();
    }
}
