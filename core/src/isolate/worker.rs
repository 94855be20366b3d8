//! The worker process's side: an engine between two pipes.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use http::{HeaderName, HeaderValue, Request};
use parking_lot::Mutex;

use super::frame::{Failure, Frame, Kind, Load, Loaded, ReplyHead, RequestHead};
use super::link::header_pairs;
use super::logs;
use crate::api::error::{Error, ErrorKind, Result};
use crate::cancel::CancelHandle;
use crate::door;
use crate::engine::Engine;
use crate::router::Body;

/// Requests' threads wait and write, and need little stack: what computes has its own.
const STACK: usize = 512 << 10;

/// Serves one engine's requests, as the command `zerohop worker` does: reads from the pipe that the
/// engine writes to, writes to the one that it reads. Returns when the engine has closed its end.
///
/// Programs that link the library statically and ship no `zerohop` command can be workers themselves:
/// started with the only argument `worker`, they call this and exit. What is logged here goes to
/// `tracing` in the engine's process, unless the program has set a subscriber of its own.
///
/// # Errors
///
/// When a pipe breaks, or what comes is not from an engine of the same version.
pub fn run_worker(input: impl Read, output: impl Write + Send + 'static) -> io::Result<()> {
    let worker = Arc::new(Worker {
        output: Mutex::new(Box::new(output)),
        engine: Mutex::new(None),
        running: Mutex::default(),
        stop_loading: AtomicBool::new(false),
    });
    let logged = worker.clone();
    logs::forward(move |line| logged.write(Frame::json(Kind::Log, 0, &line)));
    worker.write(Frame::json(Kind::Hello, 0, &crate::version()));
    let mut input = BufReader::new(input);
    while let Some(frame) = Frame::read(&mut input)? {
        match frame.kind {
            Kind::Load => {
                let load = frame.read_json::<Load>()?;
                let loader = worker.clone();
                thread::Builder::new().spawn(move || loader.load(load))?;
            }
            Kind::LogLevel => logs::set_wanted(frame.read_json()?),
            Kind::StopLoading => worker.stop_loading.store(true, Ordering::Relaxed),
            Kind::Request => worker.begin(frame),
            Kind::Cancel => worker.cancel(frame.request),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a message that is not for a worker")),
        }
    }
    worker.stop_loading.store(true, Ordering::Relaxed);
    let engine = worker.engine.lock().take();
    if let Some(engine) = engine {
        engine.close();
    }
    Ok(())
}

struct Worker {
    output: Mutex<Box<dyn Write + Send>>,
    engine: Mutex<Option<Engine>>,
    running: Mutex<HashMap<u64, Running>>,
    stop_loading: AtomicBool,
}

/// How a request that is being answered can be cancelled.
enum Running {
    /// Not yet: it has just come.
    Begun,
    With(CancelHandle),
    Cancelled,
}

impl Worker {
    fn load(self: &Arc<Self>, load: Load) {
        let result = self.build(load);
        let frame = match &result {
            Ok(loaded) => Frame::json(Kind::Loaded, 0, loaded),
            Err(error) => Frame::json(Kind::Failed, 0, &Failure::of(error)),
        };
        self.write(frame);
    }

    fn build(self: &Arc<Self>, load: Load) -> Result<Loaded> {
        let mut builder = Engine::builder().limited(&load.settings);
        for (index, (name, options)) in load.settings.models.into_iter().enumerate() {
            let reporter = self.clone();
            let options = options.progress(move |fraction| {
                reporter.write(Frame::json(Kind::Progress, 0, &(index, fraction)));
                !reporter.stop_loading.load(Ordering::Relaxed)
            });
            builder = builder.model(name, options);
        }
        let engine = builder.build()?;
        let loaded = Loaded { models: engine.model_info() };
        *self.engine.lock() = Some(engine);
        Ok(loaded)
    }

    /// Has a request answered on a thread of its own.
    fn begin(self: &Arc<Self>, frame: Frame) {
        let id = frame.request;
        self.running.lock().insert(id, Running::Begun);
        let worker = self.clone();
        let answer = move || {
            if let Err(error) = worker.answer(&frame) {
                worker.write(Frame::json(Kind::Failed, frame.request, &Failure::of(&error)));
            }
            worker.running.lock().remove(&frame.request);
        };
        if thread::Builder::new().stack_size(STACK).spawn(answer).is_err() {
            self.running.lock().remove(&id);
            let error = Error::new(ErrorKind::Unavailable, "a thread for the request cannot start");
            self.write(Frame::json(Kind::Failed, id, &Failure::of(&error)));
        }
    }

    fn answer(&self, frame: &Frame) -> Result<()> {
        let engine = self.engine.lock().clone().ok_or_else(Error::closed)?;
        let (head, body) = frame.read_with_body::<RequestHead>().map_err(unreadable)?;
        let needs_key = head.needs_key;
        let pending = door::submit(&engine, &read_request(head, body)?, needs_key)?;
        if !self.is_wanted(frame.request, pending.cancel_handle()) {
            return Ok(());
        }
        let (parts, body) = pending.wait()?.into_parts();
        let head =
            |has_events| ReplyHead { status: parts.status.as_u16(), headers: header_pairs(&parts.headers), has_events };
        match body {
            Body::Full(body) => self.write(Frame::with_body(Kind::Reply, frame.request, &head(false), &body)),
            Body::Events(events) => {
                if !self.is_wanted(frame.request, events.cancel_handle()) {
                    return Ok(());
                }
                self.write(Frame::with_body(Kind::Reply, frame.request, &head(true), &[]));
                for event in events {
                    self.write(Ok(Frame::new(Kind::Event, frame.request, event?)));
                }
                self.write(Ok(Frame::new(Kind::End, frame.request, Vec::new())));
            }
        }
        Ok(())
    }

    /// Notes how a request can be cancelled from now on; false if it has been.
    fn is_wanted(&self, request: u64, handle: Option<CancelHandle>) -> bool {
        let mut running = self.running.lock();
        match (running.get_mut(&request), handle) {
            (Some(Running::Cancelled), _) => false,
            (Some(running), Some(handle)) => {
                *running = Running::With(handle);
                true
            }
            _ => true,
        }
    }

    fn cancel(&self, request: u64) {
        if let Some(running) = self.running.lock().get_mut(&request)
            && let Running::With(handle) = std::mem::replace(running, Running::Cancelled)
        {
            handle.cancel();
        }
    }

    fn write(&self, frame: io::Result<Frame>) {
        // Without an engine at the other end, the pipe to it is closed too, and the process ends.
        let _ = frame.and_then(|frame| frame.write(&mut *self.output.lock()));
    }
}

fn read_request(head: RequestHead, body: &[u8]) -> Result<Request<&[u8]>> {
    let mut request = Request::builder()
        .method(head.method.as_str())
        .uri(head.uri)
        .body(body)
        .map_err(|error| unreadable(io::Error::other(error)))?;
    for (name, value) in head.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unreadable(io::Error::other(error)))?;
        let value = HeaderValue::from_bytes(&value).map_err(|error| unreadable(io::Error::other(error)))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

fn unreadable(error: io::Error) -> Error {
    Error::internal("the worker process cannot read a request").with_source(error)
}
