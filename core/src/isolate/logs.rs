//! What a worker process logs: the host listens to the engine's process, so that it goes there.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber, event, event_enabled};

/// The levels in their order: a number of them says how talkative a worker is to be.
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// How many of the levels the engine's process listens to, in a worker.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// One event.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Its number in [`LEVELS`].
    level: usize,
    /// Whether it is llama.cpp's.
    is_native: bool,
    /// The message, then the other fields.
    text: String,
}

/// How many of the levels somebody in this process listens to.
pub(super) fn wanted() -> usize {
    macro_rules! is_enabled {
        ($level:expr) => {
            event_enabled!(target: "zerohop", $level) || event_enabled!(target: "zerohop::llama", $level)
        };
    }
    match () {
        () if is_enabled!(Level::TRACE) => 5,
        () if is_enabled!(Level::DEBUG) => 4,
        () if is_enabled!(Level::INFO) => 3,
        () if is_enabled!(Level::WARN) => 2,
        () => usize::from(is_enabled!(Level::ERROR)),
    }
}

/// Sets how many of the levels are wanted, in a worker.
pub(super) fn set_wanted(levels: usize) {
    WANTED.store(levels, Ordering::Relaxed);
}

/// Has everything that this process logs given to `send`, unless the program has a subscriber of its
/// own, which gets it then.
pub(super) fn forward(send: impl Fn(Line) + Send + Sync + 'static) {
    let _ = set_global_default(Forward(send));
}

impl Line {
    /// Logs it here, as if it had happened here.
    pub(super) fn emit(&self) {
        macro_rules! emit {
            ($($number:literal => $level:expr),*) => {
                match (self.level, self.is_native) {
                    $(
                        ($number, false) => event!(target: "zerohop", $level, "{}", self.text),
                        ($number, true) => event!(target: "zerohop::llama", $level, "{}", self.text),
                    )*
                    _ => {}
                }
            };
        }
        // A host's subscriber may panic, and replies come on this thread too.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            emit!(0 => Level::ERROR, 1 => Level::WARN, 2 => Level::INFO, 3 => Level::DEBUG, 4 => Level::TRACE);
        }));
    }
}

struct Forward<F>(F);

impl<F: Fn(Line) + Send + Sync + 'static> Subscriber for Forward<F> {
    // What is wanted changes.
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("zerohop")
            && number(metadata) < WANTED.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let is_native = metadata.target() == "zerohop::llama";
        (self.0)(Line { level: number(metadata), is_native, text: text.0 });
    }

    // Spans are no lines; nothing is known of them.
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

fn number(metadata: &Metadata<'_>) -> usize {
    LEVELS.iter().position(|level| level == metadata.level()).unwrap_or(LEVELS.len())
}

/// An event as a line.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            // Fields may have come before it.
            let before = std::mem::take(&mut self.0);
            write!(self.0, "{value:?}{before}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}
