//! The thread that calls callbacks.
//!
//! One for each engine, started by the first request that wants it. Requests wait
//! as tasks: whoever has something for one wakes it, which puts its number into the
//! thread's queue and holds nobody up.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};

use http::Request;
use parking_lot::Mutex;
use zerohop::{Engine, EventStream, Pending};

use crate::callbacks::Callbacks;
use crate::cancel::{Cancel, CancelToken, Registration};
use crate::error::{Failure, ZEROHOP_CANCELLED, ZEROHOP_OK, zerohop_status};
use crate::response::Response;

/// An engine's thread for callbacks.
#[derive(Debug, Default)]
pub(crate) struct Dispatcher(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    messages: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    next_id: u64,
    closed: bool,
}

enum Message {
    Begin(Box<Task>),
    Wake(u64),
    /// Ends the thread when the last task has ended.
    Close,
}

impl Dispatcher {
    /// Begins a request whose reply goes to callbacks.
    pub(crate) fn submit(
        &self,
        engine: &Engine,
        request: Request<Vec<u8>>,
        callbacks: Callbacks,
        token: Option<Arc<CancelToken>>,
    ) -> Result<(), Failure> {
        let mut state = self.0.lock();
        let messages = state.messages()?;
        let pending = engine.submit_async(request)?;
        state.next_id += 1;
        let waker = Arc::new(TaskWaker { id: state.next_id, messages: messages.clone(), woken: AtomicBool::new(true) });
        let registration = token.as_ref().map(|token| token.register(Cancel::Wake(waker.clone().into())));
        let task =
            Task { waker, callbacks, progress: Progress::Reply(Box::new(pending)), token, _registration: registration };
        // The thread ends only after `Close`, which comes after this.
        let _ = messages.send(Message::Begin(Box::new(task)));
        Ok(())
    }

    /// Whether this is called by a callback.
    pub(crate) fn is_calling(&self) -> bool {
        self.0.lock().thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id())
    }

    /// Ends the thread and returns when the last callback has returned, unless this is
    /// called by one. The engine must have been closed, so that all requests end.
    pub(crate) fn close(&self) {
        let thread = {
            let mut state = self.0.lock();
            state.closed = true;
            if let Some(messages) = state.messages.take() {
                let _ = messages.send(Message::Close);
            }
            state.thread.take()
        };
        // A thread cannot wait for itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            // Panics have been caught.
            let _ = thread.join();
        }
    }
}

impl State {
    /// The way to the thread, which is started now if there is none.
    fn messages(&mut self) -> Result<Sender<Message>, Failure> {
        if self.closed {
            return Err(Failure::closed());
        }
        if let Some(messages) = &self.messages {
            return Ok(messages.clone());
        }
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("zerohop-callbacks".to_owned())
            .spawn(move || run(&receiver))
            .map_err(|error| Failure::unavailable(&format!("the thread for callbacks cannot start: {error}")))?;
        self.thread = Some(thread);
        self.messages = Some(sender.clone());
        Ok(sender)
    }
}

fn run(messages: &Receiver<Message>) {
    let mut tasks: HashMap<u64, Box<Task>> = HashMap::new();
    let mut closing = false;
    while !(closing && tasks.is_empty()) {
        let id = match messages.recv() {
            Ok(Message::Begin(task)) => {
                let id = task.waker.id;
                tasks.insert(id, task);
                id
            }
            Ok(Message::Wake(id)) => id,
            Ok(Message::Close) => {
                closing = true;
                continue;
            }
            Err(_) => return,
        };
        if let Some(task) = tasks.get_mut(&id)
            && let Some(outcome) = task.advance()
            && let Some(task) = tasks.remove(&id)
        {
            task.end(outcome);
        }
    }
}

/// A request on its way.
struct Task {
    waker: Arc<TaskWaker>,
    callbacks: Callbacks,
    progress: Progress,
    token: Option<Arc<CancelToken>>,
    _registration: Option<Registration>,
}

enum Progress {
    Reply(Box<Pending>),
    Events(Box<Response>, EventStream),
    Done(Option<Box<Response>>),
}

type Outcome = Result<zerohop_status, Failure>;

impl Task {
    /// Goes on as far as possible, at most by one event; how the request has ended, if
    /// it has.
    fn advance(&mut self) -> Option<Outcome> {
        // From here on something may come that this does not see.
        self.waker.woken.store(false, Ordering::SeqCst);
        let step = catch_unwind(AssertUnwindSafe(|| self.step()));
        step.unwrap_or_else(|_| Some(Err(Failure::panic("while a reply was on its way"))))
    }

    fn step(&mut self) -> Option<Outcome> {
        let waker = Waker::from(self.waker.clone());
        let context = &mut Context::from_waker(&waker);
        let cancelled = self.token.as_ref().is_some_and(|token| token.is_cancelled());
        match &mut self.progress {
            Progress::Reply(pending) => match Pin::new(pending).poll(context) {
                Poll::Ready(Ok(reply)) => {
                    let (response, events) = Response::split(reply);
                    let response = Box::new(response);
                    let Some(events) = events else {
                        self.progress = Progress::Done(Some(response));
                        return Some(Ok(ZEROHOP_OK));
                    };
                    self.progress = Progress::Events(response, events);
                    self.again()
                }
                Poll::Ready(Err(error)) => Some(Err(error.into())),
                Poll::Pending => cancelled.then_some(Ok(ZEROHOP_CANCELLED)),
            },
            Progress::Events(..) if cancelled => Some(Ok(ZEROHOP_CANCELLED)),
            Progress::Events(response, events) => match events.poll_next(context) {
                Poll::Ready(frame) => {
                    let frame = match frame.transpose() {
                        Ok(frame) => frame.unwrap_or_default(),
                        Err(error) => return Some(Err(error.into())),
                    };
                    let Some(event) = response.show(&frame) else { return Some(Ok(ZEROHOP_OK)) };
                    if !self.callbacks.event(response, event) {
                        return Some(Ok(ZEROHOP_CANCELLED));
                    }
                    self.again()
                }
                Poll::Pending => None,
            },
            Progress::Done(_) => None,
        }
    }

    /// Others first, then what comes next.
    fn again(&self) -> Option<Outcome> {
        self.waker.wake_by_ref();
        None
    }

    /// Tells the caller, and drops what is left, which stops computing it.
    fn end(self, outcome: Outcome) {
        let response = match self.progress {
            Progress::Reply(_) => None,
            Progress::Events(response, events) => {
                drop(events);
                response.show(&[]);
                Some(response)
            }
            Progress::Done(response) => response,
        };
        self.callbacks.done(response, outcome);
    }
}

/// Puts a task into the thread's queue, once until it is looked at.
#[derive(Debug)]
struct TaskWaker {
    id: u64,
    messages: Sender<Message>,
    woken: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            // The thread ends when no task is left to be woken.
            let _ = self.messages.send(Message::Wake(self.id));
        }
    }
}
