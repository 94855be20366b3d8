//! The engine's end of the pipes to one worker process, and the requests that go through them.

use std::collections::{HashMap, VecDeque};
use std::io::{BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use parking_lot::Mutex;

use super::frame::{Failure, Frame, Kind, Load, Loaded, ReplyHead, RequestHead, damaged};
use super::logs::{self, Line};
use crate::api::error::{Error, ErrorKind, Result};
use crate::cancel::{Cancel, CancelHandle};
use crate::threads::join_other;
use crate::wait::{Wait, Watched};

/// Bytes of the worker's last words that are kept.
const LAST_WORDS: usize = 4096;
/// When a request may be sent again to a worker that has ended: the next one starts another.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a worker may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const PAUSE: Duration = Duration::from_millis(10);

/// The pipes to a worker process.
#[derive(Debug)]
pub(super) struct Link {
    /// Frames for the worker; `None` once no more will come.
    frames: Mutex<Option<Sender<Frame>>>,
    shared: Arc<Shared>,
    next: AtomicU64,
    /// The levels of logs that the worker knows to be listened to.
    log_levels: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the callers and the reading thread share.
#[derive(Debug)]
struct Shared {
    /// What the worker says about loading.
    loading: Watched<VecDeque<LoadStep>>,
    requests: Mutex<Requests>,
    process: Mutex<Child>,
}

#[derive(Debug, Default)]
struct Requests {
    open: HashMap<u64, Arc<Watched<Exchange>>>,
    /// Why no more can be sent.
    ended: Option<Error>,
}

/// A step of loading.
#[derive(Debug)]
pub(super) enum LoadStep {
    /// The worker's version.
    Hello(String),
    /// A model's number and the loaded fraction of it.
    Progress(usize, f32),
    /// The end.
    Done(Result<Loaded>),
}

/// What has come back for a request and was not fetched yet.
#[derive(Debug, Default)]
struct Exchange {
    reply: Option<(ReplyHead, Vec<u8>)>,
    events: VecDeque<Vec<u8>>,
    /// The end: of the events, or the reply's if it has none.
    ended: bool,
    failure: Option<Error>,
}

/// A reply on its way from a worker. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct RemoteReply(Ticket);

/// The events of a worker's reply. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct RemoteEvents(Ticket);

/// Who waits for a request's reply.
#[derive(Debug)]
struct Ticket(Arc<OpenRequest>);

/// A request among those that are open.
#[derive(Debug)]
struct OpenRequest {
    id: u64,
    exchange: Arc<Watched<Exchange>>,
    link: Arc<Link>,
}

impl Link {
    /// Takes over a process's pipes and has it load models.
    pub(super) fn start(mut process: Child, load: &Load) -> Result<Arc<Self>> {
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::internal("the worker process has no pipes"));
        };
        let (sender, receiver) = crossbeam_channel::unbounded();
        let shared =
            Arc::new(Shared { loading: Watched::default(), requests: Mutex::default(), process: Mutex::new(process) });
        let load = Frame::json(Kind::Load, 0, load).map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                "the options cannot be passed to a worker process: the path must be UTF-8",
            )
            .with_source(error)
        })?;
        let link = Arc::new(Link {
            frames: Mutex::new(Some(sender)),
            shared: shared.clone(),
            next: AtomicU64::new(1),
            log_levels: AtomicUsize::new(0),
            threads: Mutex::default(),
        });
        link.tell_log_levels();
        link.send(load);
        let mut threads = link.threads.lock();
        threads.push(start_thread("zerohop-to-worker", move || write_all(&receiver, stdin))?);
        threads.push(start_thread("zerohop-from-worker", move || shared.read_all(stdout, stderr))?);
        drop(threads);
        Ok(link)
    }

    /// The next step of loading, waiting for it until a deadline if there is one.
    pub(super) fn load_step(&self, deadline: Option<Instant>) -> Option<LoadStep> {
        let mut wait = deadline.map_or(Wait::Forever, Wait::Until);
        match self.shared.loading.take(&mut wait, VecDeque::pop_front) {
            Poll::Ready(step) => Some(step),
            Poll::Pending => None,
        }
    }

    /// Tells the worker who listens to its logs, if that has changed.
    fn tell_log_levels(&self) {
        let levels = logs::wanted();
        if self.log_levels.swap(levels, Ordering::Relaxed) != levels
            && let Ok(frame) = Frame::json(Kind::LogLevel, 0, &levels)
        {
            self.send(frame);
        }
    }

    /// Has the worker stop loading.
    pub(super) fn stop_loading(&self) {
        self.send(Frame::new(Kind::StopLoading, 0, Vec::new()));
    }

    /// Why nothing more can be sent, if so.
    pub(super) fn ended(&self) -> Option<Error> {
        self.shared.requests.lock().ended.clone()
    }

    /// Sends a request.
    pub(super) fn submit(
        self: &Arc<Self>,
        request: &Request<impl AsRef<[u8]>>,
        needs_key: bool,
    ) -> Result<RemoteReply> {
        let head = RequestHead {
            method: request.method().to_string(),
            uri: request.uri().to_string(),
            headers: header_pairs(request.headers()),
            needs_key,
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let frame = Frame::with_body(Kind::Request, id, &head, request.body().as_ref())
            .map_err(|error| Error::invalid("body", error.to_string()))?;
        let exchange = Arc::new(Watched::default());
        {
            let mut requests = self.shared.requests.lock();
            if let Some(error) = &requests.ended {
                return Err(error.clone());
            }
            requests.open.insert(id, exchange.clone());
        }
        self.tell_log_levels();
        self.send(frame);
        Ok(RemoteReply(Ticket(Arc::new(OpenRequest { id, exchange, link: self.clone() }))))
    }

    /// Ends the worker and returns when it has gone: by itself, or else by force.
    pub(super) fn close(&self) {
        self.shared.end(&Error::closed());
        // The worker's stdin ends with what has been sent.
        self.frames.lock().take();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut process = self.shared.process.lock();
            // A host that waits for all its children may have done so for this one.
            if process.try_wait().map_or(true, |status| status.is_some()) {
                break;
            }
            if Instant::now() >= deadline {
                let _ = process.kill();
                let _ = process.wait();
                break;
            }
            drop(process);
            thread::sleep(PAUSE);
        }
        let threads = std::mem::take(&mut *self.threads.lock());
        threads.into_iter().for_each(join_other);
    }

    fn send(&self, frame: Frame) {
        if let Some(frames) = &*self.frames.lock() {
            // Nobody takes it once the worker has gone, which its requests hear of.
            let _ = frames.send(frame);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

impl Exchange {
    fn fail(&mut self, error: Error) {
        if !self.ended {
            self.ended = true;
            self.failure = Some(error);
        }
    }
}

impl Shared {
    /// Hands on what the worker writes, until it ends.
    fn read_all(&self, stdout: ChildStdout, stderr: ChildStderr) {
        let last_words = start_thread("zerohop-worker-errors", move || read_last_words(stderr));
        let mut reader = BufReader::new(stdout);
        while let Ok(Some(frame)) = Frame::read(&mut reader) {
            if self.hand_on(frame).is_err() {
                break;
            }
        }
        let status = {
            let mut process = self.process.lock();
            // It has closed its end, or writes nonsense.
            let _ = process.kill();
            process.wait()
        };
        let status = status.map_or_else(|_| "it was waited for by others".to_owned(), |status| status.to_string());
        let words = last_words.ok().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let words = if words.is_empty() { String::new() } else { format!("; it last wrote: {words}") };
        let error = Error::new(
            ErrorKind::Unavailable,
            format!("the worker process has ended ({status}{words}); the next request starts another"),
        )
        .with_code("worker_ended")
        .with_retry_after(RETRY_AFTER);
        tracing::warn!(target: "zerohop", "{}", error.message());
        self.loading.update(|steps| steps.push_back(LoadStep::Done(Err(error.clone()))));
        self.end(&error);
    }

    fn hand_on(&self, frame: Frame) -> std::io::Result<()> {
        match frame.kind {
            Kind::Hello => {
                let version = frame.read_json()?;
                self.loading.update(|steps| steps.push_back(LoadStep::Hello(version)));
            }
            Kind::Progress => {
                let (model, fraction) = frame.read_json()?;
                self.loading.update(|steps| steps.push_back(LoadStep::Progress(model, fraction)));
            }
            Kind::Loaded => {
                let loaded = frame.read_json()?;
                self.loading.update(|steps| steps.push_back(LoadStep::Done(Ok(loaded))));
            }
            Kind::Failed if frame.request == 0 => {
                let error = frame.read_json::<Failure>()?.into_error();
                self.loading.update(|steps| steps.push_back(LoadStep::Done(Err(error))));
            }
            Kind::Failed => {
                let error = frame.read_json::<Failure>()?.into_error();
                self.update(frame.request, |exchange| exchange.fail(error));
            }
            Kind::Reply => {
                let (head, body) = frame.read_with_body::<ReplyHead>()?;
                let body = body.to_vec();
                self.update(frame.request, |exchange| {
                    exchange.ended = !head.has_events;
                    exchange.reply = Some((head, body));
                });
            }
            Kind::Event => self.update(frame.request, |exchange| exchange.events.push_back(frame.payload)),
            Kind::End => self.update(frame.request, |exchange| exchange.ended = true),
            Kind::Log => frame.read_json::<Line>()?.emit(),
            Kind::Load | Kind::Request | Kind::Cancel | Kind::StopLoading | Kind::LogLevel => return Err(damaged()),
        }
        Ok(())
    }

    /// Changes what has come for a request, unless nobody waits for it any more.
    ///
    /// The requests are not locked meanwhile, nor in [`end`](Self::end): who is woken may drop one.
    fn update(&self, request: u64, change: impl FnOnce(&mut Exchange)) {
        let Some(exchange) = self.requests.lock().open.get(&request).cloned() else { return };
        let mut ended = false;
        exchange.update(|exchange| {
            change(exchange);
            ended = exchange.ended;
        });
        if ended {
            self.requests.lock().open.remove(&request);
        }
    }

    /// Fails all requests, and all that would come.
    fn end(&self, error: &Error) {
        let open = {
            let mut requests = self.requests.lock();
            requests.ended.get_or_insert_with(|| error.clone());
            std::mem::take(&mut requests.open)
        };
        for exchange in open.into_values() {
            exchange.update(|exchange| exchange.fail(error.clone()));
        }
    }
}

impl Cancel for OpenRequest {
    fn cancel(&self) {
        let was_open = self.link.shared.requests.lock().open.remove(&self.id).is_some();
        if was_open {
            self.link.send(Frame::new(Kind::Cancel, self.id, Vec::new()));
            self.exchange.update(|exchange| exchange.fail(Error::cancelled()));
        }
    }
}

impl Ticket {
    fn cancel_handle(&self) -> CancelHandle {
        CancelHandle::new(self.0.clone())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl RemoteReply {
    /// The reply, with its events if it has any, waiting for it as `wait` says.
    pub(crate) fn advance(&self, wait: &mut Wait<'_, '_>) -> Poll<Result<(Response<Vec<u8>>, bool)>> {
        let taken = self.0.0.exchange.take(wait, |exchange| match exchange.reply.take() {
            Some(reply) => Some(Ok(reply)),
            None => exchange.failure.clone().map(Err),
        });
        taken.map(|reply| {
            let (head, body) = reply?;
            let has_events = head.has_events;
            Ok((read_head(head, body)?, has_events))
        })
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }

    /// The events of a reply that has them.
    pub(crate) fn into_events(self) -> RemoteEvents {
        RemoteEvents(self.0)
    }
}

impl RemoteEvents {
    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }

    /// The next event as it stands on a wire, `None` after the last.
    pub(crate) fn advance(&self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Vec<u8>>>> {
        self.0.0.exchange.take(wait, |exchange| match exchange.events.pop_front() {
            Some(event) => Some(Some(Ok(event))),
            None if !exchange.ended => None,
            None => Some(exchange.failure.take().map(Err)),
        })
    }
}

fn read_head(head: ReplyHead, body: Vec<u8>) -> Result<Response<Vec<u8>>> {
    let damaged = || Error::internal("the worker process sent a reply that is none");
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|_| damaged())?;
    for (name, value) in head.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| damaged())?;
        response.headers_mut().append(name, HeaderValue::from_bytes(&value).map_err(|_| damaged())?);
    }
    Ok(response)
}

/// Headers as they are sent.
pub(super) fn header_pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

fn write_all(frames: &Receiver<Frame>, mut stdin: ChildStdin) {
    block_sigpipe();
    for frame in frames {
        // The worker has gone; the reading thread sees that too.
        if frame.write(&mut stdin).is_err() {
            return;
        }
    }
}

fn read_last_words(mut stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    let mut buffer = [0; LAST_WORDS];
    while let Ok(length @ 1..) = stderr.read(&mut buffer) {
        words.extend_from_slice(&buffer[..length]);
        let surplus = words.len().saturating_sub(LAST_WORDS);
        words.drain(..surplus);
    }
    String::from_utf8_lossy(&words).trim().to_owned()
}

fn start_thread<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "a thread for the worker process cannot start").with_source(error)
    })
}

/// Keeps a write to a worker that has ended from ending the host, which is what SIGPIPE does to
/// programs that have not chosen otherwise. The signal goes to the thread that writes: the calling one.
fn block_sigpipe() {
    #[cfg(unix)]
    // SAFETY: the set is initialised by `sigemptyset` before it is read, and only this thread's mask
    // changes.
    unsafe {
        let mut signals = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
    }
}
