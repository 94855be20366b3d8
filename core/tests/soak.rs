//! Many callers who ask for all kinds of answers, give up, cancel, run out of time and ask nonsense,
//! while a model comes and goes. `make soak` lets it run for half an hour.

mod common;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::mutate::Random;
use common::responses::{comparable, templated, weather};
use common::{PATIENCE, greedy, model, prompt, resident_kib, use_one_arena, wait_until};
use http::{Request, Response};
use serde_json::{Value, json};
use zerohop::{Body, Engine, ErrorKind, EventStream, ModelOptions};

const CALLERS: u64 = 32;
/// What memory may grow by after the first third, in which allocators and pools settle.
const GROWTH_KIB: f64 = 16384.0;
const SLOTS: u32 = 8;
const QUEUE: u32 = 64;
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

/// How many rounds there are, and how long each is. Between two of them nobody calls, so that what is
/// left over shows.
fn rounds() -> (u32, Duration) {
    match std::env::var("ZEROHOP_TEST_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()) {
        Some(seconds) => (30, Duration::from_secs(seconds) / 30),
        None => (9, Duration::from_millis(700)),
    }
}

/// Tells how it goes where somebody watches.
#[expect(clippy::print_stdout, reason = "the test is run to be watched")]
fn tell(what: &str) {
    if std::env::var_os("ZEROHOP_TEST_SOAK_SECONDS").is_some() {
        println!("{what}");
    }
}

/// A request whose answer is known.
struct Question {
    path: &'static str,
    body: Value,
    expected: String,
}

/// How a request may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    Streamed,
    Refused,
    Cancelled,
    Dropped,
    Late,
    Unloaded,
}

/// What all callers have seen.
struct Seen {
    /// The ids of all replies, hashed, in a table that never grows.
    ids: Mutex<Vec<u64>>,
    hasher: RandomState,
    ends: Mutex<BTreeMap<End, u64>>,
    sent: AtomicU64,
    loads: AtomicU64,
}

impl Seen {
    fn new(length: Duration) -> Self {
        let places = usize::try_from(length.as_secs().max(1) * 16_384).unwrap().next_power_of_two();
        Seen {
            // Written to, so that all of it is in memory from the beginning.
            ids: Mutex::new(vec![u64::MAX; places]),
            hasher: RandomState::new(),
            ends: Mutex::default(),
            sent: AtomicU64::new(0),
            loads: AtomicU64::new(0),
        }
    }

    /// Notes the id of a reply, which no other may have.
    fn id(&self, id: &str) {
        assert!(id.len() > 16, "{id:?}");
        let hash = self.hasher.hash_one(id) >> 1;
        let mut ids = self.ids.lock().unwrap();
        let mask = ids.len() - 1;
        let mut place = usize::try_from(hash).unwrap() & mask;
        while ids[place] != u64::MAX {
            assert!(ids[place] != hash, "two replies have the id {id}");
            place = (place + 1) & mask;
        }
        ids[place] = hash;
    }

    fn end(&self, end: End) {
        *self.ends.lock().unwrap().entry(end).or_default() += 1;
    }

    fn send(&self, path: &str, body: &Value, timeout: Option<&str>) -> Request<Vec<u8>> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut request = Request::post(path);
        if let Some(timeout) = timeout {
            request = request.header("x-request-timeout", timeout);
        }
        request.body(body.to_string().into_bytes()).unwrap()
    }

    /// The status of a reply, and the reply itself.
    fn whole(&self, response: Response<Body>) -> (u16, Value) {
        self.id(response.headers()["x-request-id"].to_str().unwrap());
        let status = response.status().as_u16();
        match response.into_body() {
            Body::Full(body) => (status, serde_json::from_slice(&body).unwrap()),
            Body::Events(_) => panic!("a stream that was not asked for"),
        }
    }

    /// The events of a reply.
    fn events(&self, response: Response<Body>) -> Result<EventStream, (u16, Value)> {
        if !matches!(response.body(), Body::Events(_)) {
            return Err(self.whole(response));
        }
        self.id(response.headers()["x-request-id"].to_str().unwrap());
        match response.into_body() {
            Body::Events(events) => Ok(events),
            Body::Full(_) => unreachable!("it was looked at"),
        }
    }
}

/// What one choice says, and how it ends.
type Choices = BTreeMap<u64, (String, Vec<String>)>;

fn add_choice(choices: &mut Choices, choice: &Value, said: &Value) {
    let (text, ends) = choices.entry(choice["index"].as_u64().unwrap()).or_default();
    text.push_str(said["content"].as_str().or(choice["text"].as_str()).unwrap_or_default());
    for call in said["tool_calls"].as_array().into_iter().flatten() {
        text.push_str(call["function"]["name"].as_str().unwrap_or_default());
        text.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
    }
    ends.extend(choice["finish_reason"].as_str().map(str::to_owned));
}

/// What a reply says, apart from what differs between equal requests.
fn said(path: &str, reply: &Value) -> String {
    match path {
        RESPONSES => comparable(reply.clone())["output"].to_string(),
        "/v1/embeddings" => reply["data"].as_array().unwrap().len().to_string(),
        _ => {
            let mut choices = Choices::new();
            for choice in reply["choices"].as_array().unwrap() {
                add_choice(&mut choices, choice, &choice["message"]);
            }
            format!("{choices:?}")
        }
    }
}

/// The same of a stream, which must have one end; or the code of the error that has ended it.
fn said_in_events(path: &str, seen: &Seen, events: EventStream) -> Result<String, Value> {
    let mut choices = Choices::new();
    let (mut done, mut id, mut last) = (0, String::new(), Value::Null);
    let mut events = events.enumerate();
    while let Some((number, event)) = events.next() {
        let event = String::from_utf8(event.unwrap()).unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        assert_eq!(done, 0, "an event after the last: {event}");
        if data == "[DONE]" {
            done += 1;
            continue;
        }
        let data: Value = serde_json::from_str(data).unwrap();
        if data["error"].is_object() {
            assert_eq!(events.count(), 0, "events after an error");
            return Err(data["error"]["code"].clone());
        }
        if path == RESPONSES {
            assert_eq!(data["sequence_number"], number);
            if matches!(data["type"].as_str(), Some("response.completed" | "response.incomplete")) {
                done += 1;
                last = data["response"].clone();
            }
        } else {
            if id.is_empty() {
                data["id"].as_str().unwrap().clone_into(&mut id);
            }
            assert_eq!(data["id"], id);
            for choice in data["choices"].as_array().unwrap() {
                add_choice(&mut choices, choice, &choice["delta"]);
            }
        }
    }
    assert_eq!(done, 1, "a stream without an end");
    if path == RESPONSES {
        seen.id(last["id"].as_str().unwrap());
        return Ok(said(path, &last));
    }
    seen.id(&id);
    Ok(format!("{choices:?}"))
}

fn chat(index: usize, extra: &Value) -> Value {
    let text = prompt(index, 3 + 9 * (index % 5));
    let mut body = json!({
        "model": "m", "temperature": 0, "max_tokens": 12, "messages": [{"role": "user", "content": text}],
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

/// One question of each kind and more, with what is answered to one who asks alone.
fn questions(engine: &Engine) -> Vec<Question> {
    let function = {
        let mut function = weather();
        function.as_object_mut().unwrap().remove("type");
        json!({"type": "function", "function": function})
    };
    let schema = json!({"type": "object", "properties": {"a": {"enum": [1, 2]}, "b": {"type": "boolean"}},
        "required": ["a", "b"], "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": true}});
    let response = |index: usize, extra: &Value| {
        let mut body = json!({
            "model": "m", "temperature": 0, "max_output_tokens": 12, "input": prompt(index, 8), "store": false,
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let mut asked: Vec<(&'static str, Value)> = (0..6).map(|index| (CHAT, chat(index, &json!({})))).collect();
    let tools = json!({"tools": [function], "tool_choice": "required", "max_tokens": 200});
    asked.extend([(CHAT, chat(6, &tools)), (CHAT, chat(7, &tools))]);
    asked.extend([
        (CHAT, chat(8, &json!({"response_format": format, "max_tokens": 100}))),
        (CHAT, chat(9, &json!({"n": 2, "logprobs": true}))),
    ]);
    asked.extend((0..3).map(|index| {
        let body = json!({"model": "m", "temperature": 0, "prompt": prompt(index, 12), "max_tokens": 10, "n": 2});
        ("/v1/completions", body)
    }));
    asked.extend((0..3).map(|index| {
        let texts: Vec<String> = (0..=index).map(|text| prompt(text, 10)).collect();
        ("/v1/embeddings", json!({"model": "vectors", "input": texts}))
    }));
    let dial = json!({"tools": [weather()], "tool_choice": "required", "max_output_tokens": 200});
    asked.extend([(RESPONSES, response(0, &json!({}))), (RESPONSES, response(1, &dial))]);
    let questions = asked.into_iter().map(|(path, body)| {
        let reply: Value = engine.call(path, &body).unwrap();
        Question { path, expected: said(path, &reply), body }
    });
    questions.collect()
}

/// One caller.
struct Caller<'a> {
    engine: &'a Engine,
    questions: &'a [Question],
    seen: &'a Seen,
    random: Random,
}

impl Caller<'_> {
    fn call(&mut self) {
        let end = match self.random.below(16) {
            0..=3 => self.ask(),
            4..=6 => self.stream(),
            7 => self.converse(),
            8 => self.give_up(),
            9 => self.cancel(),
            10 => self.leave(),
            11 => self.hurry(),
            12 | 13 => self.visit(),
            _ => self.talk_nonsense(),
        };
        self.seen.end(end);
    }

    /// A whole reply, from this thread or the engine's.
    fn ask(&mut self) -> End {
        let question = &self.questions[self.random.below(self.questions.len())];
        let request = self.seen.send(question.path, &question.body, None);
        let response = match self.random.below(2) {
            0 => self.engine.request(&request),
            _ => self.engine.submit_async(request).and_then(zerohop::Pending::wait),
        };
        let (status, reply) = self.seen.whole(response.unwrap());
        assert_eq!(status, 200, "{reply}");
        if let Some(id) = reply["id"].as_str() {
            self.seen.id(id);
        }
        assert_eq!(said(question.path, &reply), question.expected, "{}", question.body);
        End::Answered
    }

    fn stream(&mut self) -> End {
        let question = &self.questions[self.random.below(self.questions.len())];
        if question.path == "/v1/embeddings" {
            return self.ask();
        }
        let mut body = question.body.clone();
        body["stream"] = true.into();
        let request = self.seen.send(question.path, &body, None);
        let events = self.seen.events(self.engine.request(&request).unwrap()).unwrap();
        assert_eq!(said_in_events(question.path, self.seen, events).unwrap(), question.expected, "{body}");
        End::Streamed
    }

    /// A response that goes on from another, neither of which is kept for long.
    fn converse(&mut self) -> End {
        let mut body = json!({"model": "m", "input": "Hello", "max_output_tokens": 6});
        let (mut ids, mut text) = (Vec::new(), Value::Null);
        for _ in 0..2 {
            let (status, reply) =
                self.seen.whole(self.engine.request(&self.seen.send(RESPONSES, &body, None)).unwrap());
            assert_eq!(status, 200, "{reply}");
            assert_ne!(reply["output"][0]["id"], text);
            text = reply["output"][0]["id"].clone();
            ids.push(reply["id"].as_str().unwrap().to_owned());
            body["previous_response_id"] = reply["id"].clone();
        }
        for id in ids {
            self.seen.id(&id);
            assert!(self.engine.responses().delete(&id).unwrap().deleted);
        }
        self.seen.end(End::Answered);
        End::Answered
    }

    /// Takes a few events of an answer that would go on, and drops it.
    fn give_up(&mut self) -> End {
        let events = self.endless();
        let wanted = 1 + self.random.below(6);
        assert_eq!(events.take(wanted).flatten().count(), wanted);
        End::Dropped
    }

    /// Cancels an answer that would go on: streamed, or whole.
    fn cancel(&mut self) -> End {
        if self.random.below(2) == 0 {
            let mut events = self.endless();
            assert!(events.by_ref().take(self.random.below(4)).all(|event| event.is_ok()));
            events.cancel_handle().unwrap().cancel();
            assert_eq!(events.find_map(Result::err).unwrap().kind(), ErrorKind::Cancelled);
        } else {
            let request = self.seen.send(CHAT, &chat(1, &json!({"max_tokens": null})), None);
            let mut pending = self.engine.submit(&request).unwrap();
            let pause = Duration::from_millis(self.random.below(20) as u64);
            assert!(pending.wait_until(Instant::now() + pause).is_pending());
            pending.cancel_handle().unwrap().cancel();
            assert_eq!(pending.wait().unwrap_err().kind(), ErrorKind::Cancelled);
        }
        End::Cancelled
    }

    /// Drops a reply on its way: while it is prepared, waits or runs.
    fn leave(&mut self) -> End {
        let request = self.seen.send(CHAT, &chat(2, &json!({"max_tokens": null})), None);
        let mut pending = self.engine.submit_async(request).unwrap();
        let pause = Duration::from_millis(self.random.below(20) as u64);
        assert!(pending.wait_until(Instant::now() + pause).is_pending());
        End::Dropped
    }

    /// Has less time than the answer takes.
    fn hurry(&mut self) -> End {
        let timeout = ["0.001", "0.004", "0.02"][self.random.below(3)];
        let request = self.seen.send(CHAT, &chat(3, &json!({"max_tokens": null})), Some(timeout));
        let (status, reply) = self.seen.whole(self.engine.request(&request).unwrap());
        assert_eq!((status, &reply["error"]["code"]), (408, &json!("request_timeout")));
        End::Late
    }

    /// Asks the model that comes and goes.
    fn visit(&mut self) -> End {
        let question = &self.questions[self.random.below(6)];
        let streamed = self.random.below(2) == 0;
        let mut body = question.body.clone();
        (body["model"], body["stream"]) = ("guest".into(), streamed.into());
        let response = self.engine.request(&self.seen.send(CHAT, &body, None)).unwrap();
        let outcome = if streamed {
            self.seen.events(response).map(|events| said_in_events(CHAT, self.seen, events))
        } else {
            match self.seen.whole(response) {
                (200, reply) => {
                    self.seen.id(reply["id"].as_str().unwrap());
                    Ok(Ok(said(CHAT, &reply)))
                }
                refused => Err(refused),
            }
        };
        match outcome {
            Ok(Ok(text)) => {
                assert_eq!(text, question.expected);
                End::Answered
            }
            Ok(Err(code)) => {
                assert_eq!(code, "model_unloaded");
                End::Unloaded
            }
            Err((status, reply)) => {
                let code = reply["error"]["code"].as_str().unwrap_or_default();
                assert!(matches!((status, code), (404, "model_not_found") | (503, "model_unloaded")), "{reply}");
                End::Unloaded
            }
        }
    }

    fn talk_nonsense(&mut self) -> End {
        const BODIES: [&str; 6] = [
            "{",
            r#"{"model": "nobody", "messages": [{"role": "user", "content": "x"}]}"#,
            r#"{"model": "m", "messages": []}"#,
            r#"{"model": "m", "n": 500, "messages": [{"role": "user", "content": "x"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "\ud800"}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": "regex", "regex": "("}}"#,
        ];
        let body = match self.random.below(8) {
            6 => chat(0, &json!({"messages": [{"role": "user", "content": "word ".repeat(20_000)}]})).to_string(),
            choice => BODIES[choice % BODIES.len()].to_owned(),
        };
        self.seen.sent.fetch_add(1, Ordering::Relaxed);
        let path = [CHAT, "/v1/completions", RESPONSES, "/v1/embeddings", "/v1/nowhere"][self.random.below(5)];
        let (status, reply) = self.seen.whole(self.engine.request(&Request::post(path).body(body).unwrap()).unwrap());
        assert!(matches!(status, 400 | 404) && reply["error"]["message"].is_string(), "{status} {reply}");
        End::Refused
    }

    /// The events of an answer that goes on until the context is full.
    fn endless(&mut self) -> EventStream {
        let text = self.random.below(8);
        let request = self.seen.send(CHAT, &chat(text, &json!({"max_tokens": null, "stream": true})), None);
        self.seen.events(self.engine.request(&request).unwrap()).unwrap()
    }
}

/// Lets everybody call for a time.
fn round(engine: &Engine, questions: &[Question], seen: &Seen, number: u32, length: Duration) {
    let over = AtomicBool::new(false);
    let until = Instant::now() + length;
    thread::scope(|scope| {
        let mut threads: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let random = Random::new(1 + u64::from(number) * CALLERS + caller);
                let mut caller = Caller { engine, questions, seen, random };
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        caller.call();
                    }
                })
            })
            .collect();
        threads.push(scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                engine.load("guest", guest()).unwrap();
                thread::sleep(Duration::from_millis(20));
                engine.unload("guest").unwrap();
                seen.loads.fetch_add(1, Ordering::Relaxed);
            }
        }));
        while Instant::now() < until && !threads.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Relaxed);
        let (mut deadline, mut before) = (Instant::now() + PATIENCE, progress(engine));
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            // However slow the machine, something has to go on.
            let now = progress(engine);
            if now != before {
                (deadline, before) = (Instant::now() + PATIENCE, now);
            } else if Instant::now() > deadline {
                let metrics = engine.metrics();
                // Or they would be waited for.
                engine.close();
                panic!("requests do not end: {metrics:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
}

/// What grows as long as anything is computed or ends.
fn progress(engine: &Engine) -> (u64, u64) {
    let metrics = engine.metrics();
    (metrics.requests.values().sum(), metrics.models.iter().map(|model| model.completion_tokens).sum())
}

fn chat_model() -> ModelOptions {
    templated("Qwen-Qwen2.5-7B-Instruct").parallel(SLOTS).queue(QUEUE)
}

/// As the other one, so that its answers are known.
fn guest() -> ModelOptions {
    templated("Qwen-Qwen2.5-7B-Instruct").parallel(2)
}

/// Requires that nothing is left of any request.
fn check_idle(engine: &Engine, seen: &Seen, before: u64) {
    wait_until("a request is left over", || {
        let metrics = engine.metrics();
        let busy = metrics.models.iter().any(|model| model.slots_busy + model.queue_length + model.kv_cells_used > 0);
        metrics.requests_in_flight == 0 && !busy
    });
    let sent = seen.sent.load(Ordering::Relaxed);
    assert_eq!(seen.ends.lock().unwrap().values().sum::<u64>(), sent, "what callers have seen of their requests");
    let ended: u64 = engine.metrics().requests.values().sum();
    assert_eq!(ended - before, sent, "requests that have ended");
}

/// The slope of a line through values at 0, 1, 2 and so on.
fn slope(values: &[f64]) -> f64 {
    let count = f64::from(u32::try_from(values.len()).unwrap());
    let (middle, mean) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count);
    let (mut above, mut below, mut x) = (0.0, 0.0, -middle);
    for value in values {
        above += x * (value - mean);
        below += x * x;
        x += 1.0;
    }
    above / below
}

#[test]
fn nothing_is_lost_doubled_or_leaked() {
    use_one_arena();
    let vectors = ModelOptions::new(model("tiny/tiny-embedding-mean.gguf")).threads(1);
    let engine = Engine::builder().model("m", chat_model()).model("vectors", vectors).build().unwrap();
    let questions = questions(&engine);
    let (rounds, length) = rounds();
    let seen = Seen::new(length * rounds);
    // A request ends a moment after its answer is there.
    wait_until("a question is left over", || engine.metrics().requests_in_flight == 0);
    let before = engine.metrics().requests.values().sum();
    let (begun, mut sizes) = (Instant::now(), Vec::new());
    for number in 0..rounds {
        round(&engine, &questions, &seen, number, length);
        check_idle(&engine, &seen, before);
        sizes.push(resident_kib());
        let (sent, resident) = (seen.sent.load(Ordering::Relaxed), sizes.last().unwrap());
        tell(&format!("{:.0?}: {sent} requests, {resident} KiB resident", begun.elapsed()));
    }
    // No place is left taken: as many as there are get in at once.
    let streams: Vec<_> =
        (0..SLOTS + QUEUE).map(|_| engine.chat().create_stream(&greedy("Hello", 2)).unwrap()).collect();
    for stream in streams {
        assert!(stream.map(Result::unwrap).count() > 0);
    }
    let after: Vec<f64> =
        sizes[sizes.len() / 3..].iter().map(|size| f64::from(u32::try_from(*size).unwrap())).collect();
    let growth = slope(&after) * f64::from(u32::try_from(after.len()).unwrap());
    let told = format!(
        "{} requests, {:?}, {} loads, {} tokens; after each round {sizes:?} KiB are resident, which grew by {growth:.0} KiB \
         in the last {} rounds",
        seen.sent.load(Ordering::Relaxed),
        seen.ends.lock().unwrap(),
        seen.loads.load(Ordering::Relaxed),
        engine.metrics().models[0].completion_tokens,
        after.len(),
    );
    assert!(growth < GROWTH_KIB, "{told}");
    tell(&told);
}
