//! A caller that does whatever an engine lets callers do, in an order that somebody else chooses.

use std::task::Poll;
use std::time::{Duration, Instant};

use http::Request;
use serde_json::json;
use zerohop::{Body, CancelHandle, Engine, ErrorKind, EventStream, Pending};

use super::mutate::Random;
use super::{PATIENCE, greedy, prompt, tiny};

/// Where choices come from: a seed, or the bytes of a fuzzer.
pub trait Choices {
    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize;
}

impl Choices for Random {
    fn below(&mut self, limit: usize) -> usize {
        Random::below(self, limit)
    }
}

/// An engine with any of the limits that there are. Its key is `k`, or `l`.
pub fn limited_engine(choices: &mut impl Choices) -> Engine {
    let mut builder = Engine::builder().model("m", tiny().context_length(800).parallel(3).queue(6));
    if choices.below(2) == 0 {
        builder = builder.api_key("k").api_key("l");
    }
    if choices.below(3) == 0 {
        builder = builder.requests_per_minute(1 + u32::try_from(choices.below(200)).unwrap());
    }
    if choices.below(3) == 0 {
        builder = builder.tokens_per_minute(1 + u32::try_from(choices.below(5_000)).unwrap());
    }
    if choices.below(3) == 0 {
        builder = builder.timeout(Duration::from_millis(choices.below(60) as u64));
    }
    builder.build().unwrap()
}

/// Ends an engine in one of three ways, whatever goes on.
pub fn end(engine: &Engine, choices: &mut impl Choices) {
    match choices.below(3) {
        0 => engine.close(),
        1 => drop(engine.drain(Duration::from_millis(choices.below(100) as u64))),
        _ => drop(engine.drain_until(Instant::now() + Duration::from_millis(choices.below(20) as u64))),
    }
}

/// Fails unless all requests of an engine that has ended do end, and leave nothing taken.
pub fn assert_ends(engine: &Engine) {
    assert!(engine.drain(PATIENCE), "a request has not ended");
    let metrics = engine.metrics();
    assert_eq!(metrics.requests_in_flight, 0);
    for model in &metrics.models {
        assert_eq!((model.slots_busy, model.queue_length), (0, 0));
    }
}

/// One caller and what it has not ended.
#[derive(Debug)]
pub struct Caller<'a, C> {
    engine: &'a Engine,
    choices: C,
    pending: Vec<Pending>,
    streams: Vec<EventStream>,
    handles: Vec<CancelHandle>,
}

impl<'a, C: Choices> Caller<'a, C> {
    /// One that has done nothing yet.
    pub fn new(engine: &'a Engine, choices: C) -> Self {
        Caller { engine, choices, pending: Vec::new(), streams: Vec::new(), handles: Vec::new() }
    }

    /// What is left to choose from.
    pub fn choices(&mut self) -> &mut C {
        &mut self.choices
    }

    fn below(&mut self, limit: usize) -> usize {
        self.choices.below(limit)
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn request(&mut self) -> Request<String> {
        let paths = ["/v1/chat/completions", "/chat/completions", "/v1/models", "/metrics", "/v1/models/m", "/nowhere"];
        let path = paths[if self.chance(4) { self.below(paths.len()) } else { 0 }];
        let mut request = Request::builder().method(if self.chance(8) { "GET" } else { "POST" }).uri(path);
        if !self.chance(6) {
            request = request.header("authorization", ["Bearer k", "Bearer l", "Bearer x"][self.below(3)]);
        }
        if self.chance(5) {
            let timeout = ["0.001", "0.02", "1e30", "-1", "soon"][self.below(5)];
            request = request.header("x-request-timeout", timeout);
        }
        let longest = if self.chance(4) { 700 } else { 12 };
        let choices = if self.chance(6) { 5 } else { 1 };
        let model = if self.chance(8) { ["n", "none"][self.below(2)] } else { "m" };
        let body = json!({
            "model": model,
            "messages": [{"role": "user", "content": prompt(self.below(50), 1 + self.below(90))}],
            "max_tokens": 1 + self.below(longest),
            "stream": self.chance(2),
            "n": 1 + self.below(choices),
            "temperature": self.below(3),
        });
        request.body(body.to_string()).unwrap()
    }

    fn take(&mut self, reply: zerohop::Result<http::Response<Body>>) {
        match reply {
            Ok(response) => {
                let status = response.status().as_u16();
                assert!(matches!(status, 200 | 400 | 401 | 404 | 408 | 429 | 503), "{status}");
                assert!(response.headers().contains_key("x-request-id"));
                if let Body::Events(stream) = response.into_body() {
                    self.handles.extend(stream.cancel_handle());
                    self.streams.push(stream);
                }
            }
            Err(error) => check(&error),
        }
    }

    /// Does one thing: ask, wait, read, give up, cancel, load or unload a second model.
    pub fn step(&mut self) {
        let pause = Instant::now() + Duration::from_millis(self.below(4) as u64);
        match self.below(14) {
            0 | 1 => {
                let request = self.request();
                match self.engine.submit(&request) {
                    Ok(pending) => {
                        self.handles.extend(pending.cancel_handle());
                        self.pending.push(pending);
                    }
                    Err(error) => check(&error),
                }
            }
            2 | 3 => {
                let request = self.request();
                match self.engine.submit_async(request) {
                    Ok(pending) => self.pending.push(pending),
                    Err(error) => check(&error),
                }
            }
            4 | 5 if !self.pending.is_empty() => {
                let index = self.choices.below(self.pending.len());
                if let Poll::Ready(reply) = self.pending[index].wait_until(pause) {
                    drop(self.pending.swap_remove(index));
                    self.take(reply);
                }
            }
            6 if !self.pending.is_empty() => {
                let index = self.choices.below(self.pending.len());
                let reply = self.pending.swap_remove(index).wait();
                self.take(reply);
            }
            7 | 8 if !self.streams.is_empty() => {
                let index = self.choices.below(self.streams.len());
                for _ in 0..self.below(20) {
                    match self.streams[index].next_until(pause) {
                        Poll::Ready(Some(Ok(event))) => assert!(event.starts_with(b"data: ")),
                        Poll::Ready(Some(Err(error))) => check(&error),
                        Poll::Ready(None) | Poll::Pending => break,
                    }
                }
            }
            9 if !self.streams.is_empty() => drop(self.streams.swap_remove(self.choices.below(self.streams.len()))),
            9 if !self.pending.is_empty() => drop(self.pending.swap_remove(self.choices.below(self.pending.len()))),
            10 if !self.handles.is_empty() => {
                let index = self.choices.below(self.handles.len());
                self.handles.swap_remove(index).cancel();
            }
            11 => self.load(),
            12 => match self.engine.unload("n") {
                // It is not loaded.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => drop(outcome.map_err(|error| check(&error))),
            },
            _ => {
                if let Err(error) = self.engine.chat().create(&greedy("Hello", 3)) {
                    check(&error);
                }
                assert!(self.engine.metrics().models.iter().all(|model| model.slots_busy <= 3));
            }
        }
    }

    fn load(&mut self) {
        let options = tiny().context_length(300).parallel(2).lazy(self.chance(2));
        match self.engine.load("n", options) {
            // It is loaded already.
            Err(error) if error.kind() == ErrorKind::InvalidArgument => {}
            outcome => drop(outcome.map_err(|error| check(&error))),
        }
    }
}

/// What may prevent a reply in such a life.
fn check(error: &zerohop::Error) {
    use ErrorKind::{Cancelled, Closed, RateLimit, Timeout, Unavailable};
    assert!(
        matches!(error.kind(), Cancelled | Closed | RateLimit | Timeout | Unavailable),
        "{:?}: {error}",
        error.kind()
    );
}
