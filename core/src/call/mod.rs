//! One request's way through an engine: who sent it, until when it may take, what it uses, and what
//! is told about it.
//!
//! A [`Call`] begins at the door, or with a typed call, and lives until the answer has been fetched.
//! While a request is handed from layer to layer, its call is the thread's current one, so that the
//! scheduler finds it and the layers between need not know of it.

mod in_flight;
mod keys;
mod limits;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde::Serialize;
use tracing::Span;
use uuid::Uuid;

use crate::api::error::{Error, Result};
use crate::metrics::{CANCELLED, Metrics, ModelMetrics, RequestMeters};
use in_flight::InFlight;
use keys::Accounts;
use limits::Account;
pub(crate) use limits::RateLimits;

/// The header that gives a request a time limit of its own, in seconds.
const TIMEOUT_HEADER: &str = "x-request-timeout";

thread_local! {
    static CURRENT: RefCell<Option<Arc<Call>>> = const { RefCell::new(None) };
}

/// Who may come in, and what has come in: one for each engine.
#[derive(Debug)]
pub(crate) struct Admission {
    accounts: Accounts,
    timeout: Option<Duration>,
    in_flight: InFlight,
    requests: RequestMeters,
}

impl Admission {
    pub(crate) fn new(keys: Vec<String>, limits: RateLimits, timeout: Option<Duration>) -> Arc<Self> {
        Arc::new(Admission {
            accounts: Accounts::new(keys, limits),
            timeout,
            in_flight: InFlight::default(),
            requests: RequestMeters::default(),
        })
    }

    /// A request through the door, which shows its headers; and why it is refused, if it is.
    ///
    /// # Errors
    ///
    /// `Closed`; other refusals have a reply, which is the call's too.
    pub(crate) fn admit(
        self: &Arc<Self>,
        operation: &'static str,
        headers: &HeaderMap,
    ) -> Result<(Arc<Call>, Result<()>)> {
        let mut call = Call::new(self, operation);
        let admitted = call.enter().and_then(|()| call.admit(headers));
        if self.in_flight.is_closed() {
            return Err(Error::closed());
        }
        Ok((Arc::new(call), admitted))
    }

    /// A look at the metrics: it needs a key if it comes with headers, but has no limits, and is possible as long as the engine
    /// is not closed. It is not counted.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub(crate) fn observe(self: &Arc<Self>, headers: Option<&HeaderMap>) -> Result<(Arc<Call>, Result<()>)> {
        if self.is_closed() {
            return Err(Error::closed());
        }
        let mut call = Call::new(self, "metrics");
        call.counted = false;
        let admitted = headers.map_or(Ok(()), |headers| self.accounts.of(headers).map(drop));
        Ok((Arc::new(call), admitted))
    }

    /// A typed call, which needs no key and has no limits.
    ///
    /// # Errors
    ///
    /// `Unavailable` and `Closed`.
    pub(crate) fn begin(self: &Arc<Self>, operation: &'static str) -> Result<Arc<Call>> {
        let mut call = Call::new(self, operation);
        match call.enter() {
            Ok(()) => Ok(Arc::new(call)),
            Err(error) => {
                call.fail(&error);
                Err(error)
            }
        }
    }

    /// Refuses new requests and waits for the others until `deadline`. Gives whether all have ended.
    pub(crate) fn drain(&self, deadline: Option<Instant>) -> bool {
        self.in_flight.drain(deadline)
    }

    pub(crate) fn close(&self) {
        self.in_flight.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.in_flight.is_closed()
    }

    pub(crate) fn metrics(&self, models: Vec<ModelMetrics>) -> Metrics {
        self.requests.snapshot(self.in_flight.count(), models)
    }
}

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    admission: Arc<Admission>,
    id: String,
    started: Instant,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    /// Whether it counts as in flight.
    entered: bool,
    /// Whether it counts when it has ended.
    counted: bool,
    account: Option<Arc<Account>>,
    /// The HTTP status that it ended with; 0 before that.
    status: AtomicU16,
    /// Tokens taken from the account, and tokens used; what was taken is 0 once it is settled.
    taken: AtomicU64,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    settled: AtomicBool,
    span: Span,
    finish_reasons: Mutex<Vec<String>>,
}

impl Call {
    fn new(admission: &Arc<Admission>, operation: &'static str) -> Self {
        let id = format!("req_{}", Uuid::new_v4().simple());
        let span = span(operation, &id);
        let started = Instant::now();
        Call {
            admission: admission.clone(),
            id,
            started,
            deadline: admission.timeout.and_then(|timeout| started.checked_add(timeout)),
            timeout: admission.timeout,
            entered: false,
            counted: true,
            account: None,
            status: AtomicU16::new(0),
            taken: AtomicU64::new(0),
            prompt_tokens: AtomicU64::new(0),
            completion_tokens: AtomicU64::new(0),
            settled: AtomicBool::new(false),
            span,
            finish_reasons: Mutex::default(),
        }
    }

    fn enter(&mut self) -> Result<()> {
        self.admission.in_flight.enter()?;
        self.entered = true;
        Ok(())
    }

    fn admit(&mut self, headers: &HeaderMap) -> Result<()> {
        let account = self.admission.accounts.of(headers)?;
        self.account.insert(account).take_request(self.started)?;
        if let Some(value) = headers.get(TIMEOUT_HEADER) {
            let timeout = read_timeout(value)?;
            if self.timeout.is_none_or(|longest| timeout < longest) {
                self.timeout = Some(timeout);
                self.deadline = self.started.checked_add(timeout);
            }
        }
        Ok(())
    }

    /// The call that this thread is working on.
    pub(crate) fn current() -> Option<Arc<Call>> {
        CURRENT.with_borrow(Option::clone)
    }

    /// Does `work` as a part of this call.
    pub(crate) fn scope<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        /// Puts back what was there, also when a panic unwinds.
        struct Restore(Option<Arc<Call>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(self.clone())));
        self.span.in_scope(work)
    }

    /// When it came.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Until when it may take.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Notes the name of the model that the request asks for.
    pub(crate) fn asks_for(&self, model: &str) {
        self.span.record("gen_ai.request.model", model);
    }

    /// Notes the name and id of what answers.
    pub(crate) fn answered_by(&self, model: &str, id: &str) {
        self.span.record("gen_ai.response.model", model);
        self.span.record("gen_ai.response.id", id);
    }

    /// Takes on a prompt, and an answer of so many tokens as far as that is known.
    ///
    /// # Errors
    ///
    /// `RateLimit` when the caller's account has not so many tokens, `Timeout` when the request's time
    /// has passed.
    pub(crate) fn take_tokens(&self, prompt: usize, completion: usize) -> Result<()> {
        let now = Instant::now();
        if self.is_late(now) {
            return Err(self.timeout());
        }
        let tokens = prompt.saturating_add(completion);
        if let Some(account) = &self.account {
            account.take_tokens(tokens, now)?;
            self.taken.fetch_add(tokens as u64, Ordering::Relaxed);
        }
        self.prompt_tokens.fetch_add(prompt as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Notes tokens of the answer.
    pub(crate) fn add_completion_tokens(&self, count: usize) {
        self.completion_tokens.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Whether its time has passed.
    pub(crate) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// The error of a request whose time has passed.
    pub(crate) fn timeout(&self) -> Error {
        Error::timeout(self.timeout.unwrap_or_default())
    }

    /// Notes how a choice has ended, in the API's words.
    pub(crate) fn finish(&self, reason: &impl Serialize) {
        if self.span.is_disabled() {
            return;
        }
        if let Ok(serde_json::Value::String(reason)) = serde_json::to_value(reason) {
            self.finish_reasons.lock().push(reason);
        }
    }

    /// Notes that an answer is complete, unless something has failed.
    pub(crate) fn succeed(&self) {
        self.end(200);
    }

    /// Notes the status of a whole reply.
    pub(crate) fn reply(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Notes that the request has failed.
    pub(crate) fn fail(&self, error: &Error) {
        if self.end(error.status().unwrap_or(CANCELLED)) {
            self.span.record("error.type", error.code().unwrap_or(error.error_type()));
        }
    }

    /// The first end counts.
    fn end(&self, status: u16) -> bool {
        self.status.compare_exchange(0, status, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Puts what every reply has into its headers (T4, T10). `complete` says whether nothing more is
    /// computed for it.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap, complete: bool) {
        let now = Instant::now();
        if complete {
            self.settle(now);
        }
        let milliseconds = now.saturating_duration_since(self.started).as_millis();
        for (name, value) in [("x-request-id", &self.id), ("openai-processing-ms", &milliseconds.to_string())] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if let Some(account) = &self.account {
            account.write_headers(headers, now);
        }
    }

    /// Leaves to the account what was not used.
    fn settle(&self, now: Instant) {
        let Some(account) = self.account.as_ref().filter(|_| !self.settled.swap(true, Ordering::Relaxed)) else {
            return;
        };
        let used = self.prompt_tokens.load(Ordering::Relaxed) + self.completion_tokens.load(Ordering::Relaxed);
        account.settle_tokens(self.taken.load(Ordering::Relaxed), used, now);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let now = Instant::now();
        self.settle(now);
        let status = match *self.status.get_mut() {
            0 => CANCELLED,
            status => status,
        };
        if self.counted {
            self.admission.requests.note(status, now.saturating_duration_since(self.started));
        }
        self.span.record("gen_ai.usage.input_tokens", *self.prompt_tokens.get_mut());
        self.span.record("gen_ai.usage.output_tokens", *self.completion_tokens.get_mut());
        self.span.record("http.response.status_code", status);
        let reasons = self.finish_reasons.get_mut();
        if !reasons.is_empty() {
            self.span.record("gen_ai.response.finish_reasons", tracing::field::debug(&*reasons));
        }
        if status == CANCELLED {
            self.span.record("error.type", "cancelled");
        }
        if self.entered {
            self.admission.in_flight.leave();
        }
    }
}

/// A request's span, in the words of OpenTelemetry's conventions for generative AI.
fn span(operation: &'static str, id: &str) -> Span {
    tracing::info_span!(
        target: "zerohop",
        "request",
        otel.name = operation,
        otel.kind = "internal",
        gen_ai.operation.name = operation,
        gen_ai.provider.name = "zerohop",
        gen_ai.request.model = tracing::field::Empty,
        gen_ai.response.model = tracing::field::Empty,
        gen_ai.response.id = tracing::field::Empty,
        gen_ai.response.finish_reasons = tracing::field::Empty,
        gen_ai.usage.input_tokens = tracing::field::Empty,
        gen_ai.usage.output_tokens = tracing::field::Empty,
        http.response.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
        zerohop.request.id = id,
    )
}

fn read_timeout(value: &HeaderValue) -> Result<Duration> {
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
    let timeout = seconds.filter(|seconds| *seconds > 0.0).map(Duration::try_from_secs_f64);
    match timeout {
        Some(Ok(timeout)) => Ok(timeout),
        // So many seconds that no clock counts them are no limit.
        Some(Err(_)) if seconds.is_some_and(|seconds| !seconds.is_nan()) => Ok(Duration::MAX),
        _ => {
            let message = format!("the header '{TIMEOUT_HEADER}' is not a positive number of seconds");
            Err(Error::invalid(TIMEOUT_HEADER, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_positive_number_of_seconds() {
        let read = |text: &str| read_timeout(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("1.5").unwrap(), Duration::from_millis(1500));
        assert_eq!(read(" 600 ").unwrap(), Duration::from_secs(600));
        assert_eq!(read("1e300").unwrap(), Duration::MAX);
        assert_eq!(read("inf").unwrap(), Duration::MAX);
        for wrong in ["0", "-1", "NaN", "soon", "", "1s"] {
            let error = read(wrong).unwrap_err();
            assert_eq!((error.status(), error.param()), (Some(400), Some("x-request-timeout")), "{wrong}");
        }
    }

    #[test]
    fn a_request_may_shorten_its_time_and_not_lengthen_it() {
        let admission = Admission::new(Vec::new(), RateLimits::default(), Some(Duration::from_secs(10)));
        for (given, expected) in [("3", 3), ("11", 10)] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(TIMEOUT_HEADER), given.parse().unwrap())]);
            let (call, admitted) = admission.admit("chat", &headers).unwrap();
            admitted.unwrap();
            assert_eq!(call.timeout, Some(Duration::from_secs(expected)));
            assert!(!call.is_late(call.started));
            assert!(call.is_late(call.started + Duration::from_secs(expected)));
        }
    }

    #[test]
    fn the_current_call_is_that_of_the_innermost_scope() {
        let admission = Admission::new(Vec::new(), RateLimits::default(), None);
        let (outer, inner) = (admission.begin("chat").unwrap(), admission.begin("chat").unwrap());
        let is_current = |call: &Arc<Call>| Call::current().is_some_and(|current| Arc::ptr_eq(&current, call));
        assert!(Call::current().is_none());
        outer.scope(|| {
            let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                inner.scope(|| {
                    assert!(is_current(&inner));
                    std::panic::resume_unwind(Box::new(()))
                })
            }));
            assert!(failed.is_err() && is_current(&outer));
        });
        assert!(Call::current().is_none());
        assert_eq!(admission.in_flight.count(), 2);
        drop((outer, inner));
        assert_eq!(admission.in_flight.count(), 0);
    }
}
