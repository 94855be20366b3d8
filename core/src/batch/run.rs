//! Many requests of a batch at once.

use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, Response};
use parking_lot::{Condvar, Mutex};
use serde_json::value::RawValue;

use super::BatchCounts;
use super::files::{Finished, Lines, Names};
use super::line::{LineUsage, RequestLine, ResultLine, usage_of};
use crate::api::error::{Error, ErrorKind, Result};
use crate::door;
use crate::engine::Engine;
use crate::router::Body;

/// Threads that wait for replies, at most.
const MAX_CONCURRENCY: usize = 1024;
/// How long a thread waits before it looks whether it should stop, and between two reports.
const TURN: Duration = Duration::from_millis(100);
/// How often a request is sent again to an engine that is busy with others.
const MAX_RETRIES: u32 = 20;

/// A batch that is being computed: threads take lines, send them, wait and write.
pub(crate) struct Run<'a, R> {
    engine: &'a Engine,
    endpoint: Option<&'a str>,
    finished: Names,
    lines: Mutex<Lines<R>>,
    progress: Mutex<Progress<'a>>,
    /// Signalled when a thread ends.
    ended: Condvar,
    stopped: AtomicBool,
}

/// Where lines are written. What a file has taken is the system's, also if the process is killed.
type Sink<'a> = &'a mut (dyn Write + Send);

struct Progress<'a> {
    counts: BatchCounts,
    results: Sink<'a>,
    failures: Sink<'a>,
    /// What ended the whole batch.
    failure: Option<Error>,
    /// Threads that work.
    running: usize,
}

impl<'a, R: BufRead + Send> Run<'a, R> {
    /// A run over the `total` lines of a checked input, that writes answers into the first sink and
    /// failures into the second.
    pub(crate) fn new(
        engine: &'a Engine,
        lines: Lines<R>,
        endpoint: Option<&'a str>,
        total: u64,
        finished: Finished,
        (results, failures): (Sink<'a>, Sink<'a>),
    ) -> Self {
        let Finished { names, counts } = finished;
        let counts = BatchCounts { total, ..counts };
        Run {
            engine,
            endpoint,
            finished: names,
            lines: Mutex::new(lines),
            progress: Mutex::new(Progress { counts, results, failures, failure: None, running: 0 }),
            ended: Condvar::new(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Computes all requests, `concurrency` at a time (by default a few more than the engine computes
    /// together), and reports to `progress`, which stops the batch by returning `false`.
    pub(crate) fn all(
        &self,
        concurrency: Option<usize>,
        mut progress: impl FnMut(&BatchCounts) -> bool,
    ) -> Result<BatchCounts> {
        let places = self.engine.places();
        let concurrency = concurrency.unwrap_or(places + places.div_ceil(4)).min(MAX_CONCURRENCY);
        thread::scope(|scope| {
            for started in 0..concurrency {
                self.progress.lock().running += 1;
                let run = || self.work();
                let thread = thread::Builder::new().name("zerohop-batch".to_owned()).spawn_scoped(scope, run);
                if let Err(error) = thread {
                    let mut progress = self.progress.lock();
                    progress.running -= 1;
                    // A few do as well.
                    if started == 0 {
                        let error =
                            Error::new(ErrorKind::Unavailable, "a thread of the batch cannot start").with_source(error);
                        progress.failure = Some(error);
                    }
                    break;
                }
            }
            self.report(&mut progress);
        });
        let mut progress = self.progress.lock();
        progress.failure.take().map_or(Ok(progress.counts), Err)
    }

    /// Reports at once, in turns, and when all threads have ended.
    fn report(&self, report: &mut impl FnMut(&BatchCounts) -> bool) {
        let stop_on_panic = StopOnDrop(&self.stopped);
        loop {
            let (counts, running) = {
                let progress = self.progress.lock();
                (progress.counts, progress.running > 0)
            };
            if !report(&counts) {
                self.stopped.store(true, Ordering::Relaxed);
            }
            if !running {
                break;
            }
            let mut progress = self.progress.lock();
            if progress.running > 0 {
                self.ended.wait_for(&mut progress, TURN);
            }
        }
        drop(stop_on_panic);
    }

    fn work(&self) {
        let result = catch_unwind(AssertUnwindSafe(|| {
            while let Some(line) = self.next_line()? {
                self.answer(&line)?;
            }
            Ok(())
        }));
        let result = result.unwrap_or_else(|_| Err(Error::internal("a thread of the batch met a fault")));
        let mut progress = self.progress.lock();
        if let Err(error) = result {
            self.stopped.store(true, Ordering::Relaxed);
            progress.failure.get_or_insert(error);
        }
        progress.running -= 1;
        drop(progress);
        self.ended.notify_one();
    }

    /// The next request that no earlier run has finished.
    fn next_line(&self) -> Result<Option<RequestLine>> {
        let mut lines = self.lines.lock();
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let changed = |reason: &str| {
                Error::new(ErrorKind::InvalidArgument, format!("the input file changed while it was read: {reason}"))
            };
            let Some((number, text)) = lines.next().map_err(|error| changed(&error.to_string()))? else {
                return Ok(None);
            };
            let line = RequestLine::read(text, number, self.endpoint).map_err(|fault| changed(&fault.message))?;
            if !self.finished.contains(&line.custom_id) {
                return Ok(Some(line));
            }
        }
    }

    /// Sends one request and writes down what comes of it.
    fn answer(&self, line: &RequestLine) -> Result<()> {
        let request = match Request::post(line.url.as_str()).body(line.body.get()) {
            Ok(request) => request,
            Err(error) => {
                let error = Error::invalid("url", "the url is no path").with_source(error);
                return self.failed(&ResultLine::of_error(&line.custom_id, &error));
            }
        };
        let Some(reply) = self.send(&request)? else { return Ok(()) };
        let (parts, body) = reply.into_parts();
        let Body::Full(body) = body else {
            return Err(Error::internal("a reply came in events"));
        };
        let request_id = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let raw: &RawValue =
            serde_json::from_slice(&body).map_err(|error| Error::internal("a reply is no JSON").with_source(error))?;
        let line = ResultLine::of_reply(&line.custom_id, parts.status.as_u16(), request_id, raw);
        if parts.status.is_success() { self.completed(&line, usage_of(&body)) } else { self.failed(&line) }
    }

    /// The reply to a request, which is sent again while others take all places; `None` when the
    /// batch has been stopped.
    fn send(&self, request: &Request<&str>) -> Result<Option<Response<Body>>> {
        let mut retries = 0;
        loop {
            // The host has let the batch in; its lines need no key.
            let mut pending = door::submit(self.engine, request, false)?;
            let reply = loop {
                match pending.wait_until(Instant::now() + TURN) {
                    Poll::Ready(reply) => break reply?,
                    Poll::Pending if self.stopped.load(Ordering::Relaxed) => return Ok(None),
                    Poll::Pending => {}
                }
            };
            match retry_delay(&reply) {
                Some(delay) if retries < MAX_RETRIES => {
                    retries += 1;
                    if !self.sleep(delay) {
                        return Ok(None);
                    }
                }
                _ => return Ok(Some(reply)),
            }
        }
    }

    /// Sleeps, unless the batch is stopped meanwhile.
    fn sleep(&self, delay: Duration) -> bool {
        let until = Instant::now() + delay;
        while !self.stopped.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(TURN));
        }
        false
    }

    fn completed(&self, line: &ResultLine<'_>, usage: LineUsage) -> Result<()> {
        let bytes = line.to_bytes();
        let mut progress = self.progress.lock();
        progress.results.write_all(&bytes).map_err(unwritten)?;
        progress.counts.completed += 1;
        usage.add_to(&mut progress.counts);
        Ok(())
    }

    fn failed(&self, line: &ResultLine<'_>) -> Result<()> {
        let bytes = line.to_bytes();
        let mut progress = self.progress.lock();
        progress.failures.write_all(&bytes).map_err(unwritten)?;
        progress.counts.failed += 1;
        Ok(())
    }
}

fn unwritten(error: io::Error) -> Error {
    let message = format!("a result cannot be written: {error}; make room and start the batch again");
    Error::new(ErrorKind::Unavailable, message).with_source(error)
}

/// Ends the threads of a batch, also where its progress callback panics.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long to wait before sending a request again, if that can help.
fn retry_delay(reply: &Response<Body>) -> Option<Duration> {
    let seconds = |headers: &HeaderMap| headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok();
    matches!(reply.status().as_u16(), 429 | 503).then(|| seconds(reply.headers()).map(Duration::from_secs)).flatten()
}
