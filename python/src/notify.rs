//! Wakes Python's event loops.
//!
//! The engine's threads must not wait for the interpreter: while one of them waited to wake a task,
//! all other requests would stand still. So a thread of each engine does it for them.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use pyo3::prelude::*;

/// A task that waits: `soon(wake)` runs `wake` in its event loop, from any thread.
struct Task {
    soon: Py<PyAny>,
    wake: Py<PyAny>,
}

enum Message {
    Wake(Arc<TaskWaker>),
    Stop,
}

struct TaskWaker {
    task: Task,
    messages: Sender<Message>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let messages = self.messages.clone();
        // Nobody listens any more once the engine is being closed at exit.
        let _ = messages.send(Message::Wake(self));
    }
}

/// The thread that wakes the tasks of one engine, started for the first of them.
#[derive(Default)]
pub(crate) struct Notifier(Mutex<State>);

#[derive(Default)]
struct State {
    messages: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    stopped: bool,
}

impl Notifier {
    /// A waker for the task that `soon(wake)` wakes.
    pub(crate) fn waker(&self, soon: Py<PyAny>, wake: Py<PyAny>) -> PyResult<Waker> {
        let messages = self.messages()?;
        Ok(Waker::from(Arc::new(TaskWaker { task: Task { soon, wake }, messages })))
    }

    fn messages(&self) -> PyResult<Sender<Message>> {
        let mut state = self.0.lock();
        if let Some(messages) = &state.messages {
            return Ok(messages.clone());
        }
        let (sender, receiver) = mpsc::channel();
        if !state.stopped {
            let run = move || run(&receiver);
            state.thread = Some(thread::Builder::new().name("zerohop-notify".to_owned()).spawn(run)?);
            state.messages = Some(sender.clone());
        }
        Ok(sender)
    }

    /// Ends the thread and returns when it has gone. Must be called detached from the interpreter,
    /// for which the thread may be waiting.
    pub(crate) fn stop(&self) {
        let (messages, thread) = {
            let mut state = self.0.lock();
            state.stopped = true;
            (state.messages.take(), state.thread.take())
        };
        if let Some(messages) = messages {
            let _ = messages.send(Message::Stop);
        }
        // Waking a task may drop the last reference to the engine, and a thread cannot wait for
        // itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

fn run(messages: &Receiver<Message>) {
    while let Ok(Message::Wake(first)) = messages.recv() {
        let stop = Python::try_attach(|py| {
            let mut wakers = vec![first];
            let mut stop = false;
            // What has come meanwhile too: attaching, and rousing a loop, are the costly parts.
            for message in messages.try_iter() {
                match message {
                    Message::Wake(waker) => wakers.push(waker),
                    Message::Stop => {
                        stop = true;
                        break;
                    }
                }
            }
            wake_all(py, wakers);
            stop
        });
        if stop.unwrap_or(true) {
            return;
        }
    }
}

/// Wakes tasks, rousing each event loop once.
fn wake_all(py: Python<'_>, mut wakers: Vec<Arc<TaskWaker>>) {
    while let Some(first) = wakers.pop() {
        let soon = first.task.soon.bind(py);
        let is_same_loop = |waker: &Arc<TaskWaker>| waker.task.soon.bind(py).eq(soon).unwrap_or(false);
        let (mut same, others): (Vec<_>, Vec<_>) = wakers.into_iter().partition(is_same_loop);
        wakers = others;
        // An event loop that has ended refuses, and then nobody waits any more.
        let _ = if same.is_empty() {
            soon.call1((&first.task.wake,))
        } else {
            same.push(first.clone());
            Bound::new(py, WakeAll(same)).and_then(|wake_all| soon.call1((wake_all,)))
        };
    }
}

/// Wakes several tasks of an event loop, from within it.
#[pyclass(frozen, name = "_WakeAll", module = "zerohop._native")]
struct WakeAll(Vec<Arc<TaskWaker>>);

#[pymethods]
impl WakeAll {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        // One that fails must not keep the others asleep.
        let results: Vec<PyResult<_>> = self.0.iter().map(|waker| waker.task.wake.call0(py)).collect();
        results.into_iter().try_for_each(|result| result.map(drop))
    }
}
