//! Calls of the engine in any order, from a seed: `make fuzz` tries others.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use common::mutate::Random;
use common::{count, greedy, tiny};
use http::Request;
use serde_json::json;
use zerohop::{Body, CancelHandle, Engine, ErrorKind, EventStream, Pending};

/// What no step takes by far.
const PATIENCE: Duration = Duration::from_secs(60);

fn first_seed() -> u64 {
    std::env::var("ZEROHOP_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// One caller and what it has not ended.
struct Caller<'a> {
    engine: &'a Engine,
    random: Random,
    pending: Vec<Pending>,
    streams: Vec<EventStream>,
    handles: Vec<CancelHandle>,
}

impl Caller<'_> {
    fn chance(&mut self, one_in: usize) -> bool {
        self.random.below(one_in) == 0
    }

    fn request(&mut self) -> Request<String> {
        let paths = ["/v1/chat/completions", "/chat/completions", "/v1/models", "/metrics", "/v1/models/m", "/nowhere"];
        let path = paths[if self.chance(4) { self.random.below(paths.len()) } else { 0 }];
        let mut request = Request::builder().method(if self.chance(8) { "GET" } else { "POST" }).uri(path);
        if !self.chance(6) {
            request = request.header("authorization", ["Bearer k", "Bearer l", "Bearer x"][self.random.below(3)]);
        }
        if self.chance(5) {
            let timeout = ["0.001", "0.02", "1e30", "-1", "soon"][self.random.below(5)];
            request = request.header("x-request-timeout", timeout);
        }
        let longest = if self.chance(4) { 700 } else { 12 };
        let choices = if self.chance(6) { 5 } else { 1 };
        let body = json!({
            "model": if self.chance(20) { "none" } else { "m" },
            "messages": [{"role": "user", "content": common::prompt(self.random.below(50), 1 + self.random.below(90))}],
            "max_tokens": 1 + self.random.below(longest),
            "stream": self.chance(2),
            "n": 1 + self.random.below(choices),
            "temperature": self.random.below(3),
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

    fn step(&mut self) {
        let pause = Instant::now() + Duration::from_millis(self.random.below(4) as u64);
        match self.random.below(12) {
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
                let index = self.random.below(self.pending.len());
                if let Poll::Ready(reply) = self.pending[index].wait_until(pause) {
                    drop(self.pending.swap_remove(index));
                    self.take(reply);
                }
            }
            6 if !self.pending.is_empty() => {
                let index = self.random.below(self.pending.len());
                let reply = self.pending.swap_remove(index).wait();
                self.take(reply);
            }
            7 | 8 if !self.streams.is_empty() => {
                let index = self.random.below(self.streams.len());
                for _ in 0..self.random.below(20) {
                    match self.streams[index].next_until(pause) {
                        Poll::Ready(Some(Ok(event))) => assert!(event.starts_with(b"data: ")),
                        Poll::Ready(Some(Err(error))) => check(&error),
                        Poll::Ready(None) | Poll::Pending => break,
                    }
                }
            }
            9 if !self.streams.is_empty() => drop(self.streams.swap_remove(self.random.below(self.streams.len()))),
            9 if !self.pending.is_empty() => drop(self.pending.swap_remove(self.random.below(self.pending.len()))),
            10 if !self.handles.is_empty() => {
                let index = self.random.below(self.handles.len());
                self.handles.swap_remove(index).cancel();
            }
            _ => {
                if let Err(error) = self.engine.chat().create(&greedy("Hello", 3)) {
                    check(&error);
                }
                assert!(self.engine.metrics().models[0].slots_busy <= 3);
            }
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

/// An engine's life: callers in any order, and an end in one of three ways while they go on.
fn live(seed: u64) {
    let mut random = Random::new(seed);
    let mut builder = Engine::builder().model("m", tiny().context_length(800).parallel(3).queue(6));
    if random.below(2) == 0 {
        builder = builder.api_key("k").api_key("l");
    }
    if random.below(3) == 0 {
        builder = builder.requests_per_minute(1 + u32::try_from(random.below(200)).unwrap());
    }
    if random.below(3) == 0 {
        builder = builder.tokens_per_minute(1 + u32::try_from(random.below(5_000)).unwrap());
    }
    if random.below(3) == 0 {
        builder = builder.timeout(Duration::from_millis(random.below(60) as u64));
    }
    let engine = builder.build().unwrap();
    let steps = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..3 {
            let (engine, steps) = (&engine, &steps);
            scope.spawn(move || {
                let random = Random::new(seed * 3 + number);
                let mut caller =
                    Caller { engine, random, pending: Vec::new(), streams: Vec::new(), handles: Vec::new() };
                for _ in 0..30 {
                    caller.step();
                    steps.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let end_after = 20 + random.below(60);
        let begun = Instant::now();
        while steps.load(Ordering::Relaxed) < end_after {
            assert!(begun.elapsed() < PATIENCE, "seed {seed}: nothing goes on");
            thread::sleep(Duration::from_millis(1));
        }
        match random.below(3) {
            0 => engine.close(),
            1 => drop(engine.drain(Duration::from_millis(random.below(100) as u64))),
            _ => drop(engine.drain_until(Instant::now() + Duration::from_millis(random.below(20) as u64))),
        }
    });
    assert!(engine.drain(PATIENCE), "seed {seed}: a request has not ended");
    let metrics = engine.metrics();
    assert_eq!((metrics.requests_in_flight, metrics.models[0].slots_busy, metrics.models[0].queue_length), (0, 0, 0));
}

#[test]
fn calls_in_any_order_end_as_they_should() {
    for round in 0..count(12, 3_000) {
        live(first_seed() + round as u64);
    }
}
