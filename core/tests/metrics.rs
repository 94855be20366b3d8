//! What an engine tells of itself: counters, Prometheus text, spans.

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{ENDLESS, PATIENCE, engine, greedy, model, roomy, tiny, wait_until};
use http::Request;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use zerohop::types::{CreateEmbeddingRequest, PredictionContent};
use zerohop::{Body, Engine, Metrics, ModelMetrics, ModelOptions};

fn get(engine: &Engine, path: &str) -> (String, Vec<u8>) {
    let response = engine.request(&Request::get(path).body("").unwrap()).unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    match response.into_body() {
        Body::Full(body) => (kind, body),
        Body::Events(_) => panic!("this is a stream"),
    }
}

fn of_model(engine: &Engine) -> ModelMetrics {
    engine.metrics().models.remove(0)
}

/// What the scheduler does after it has ended a request is not waited for by its caller.
fn when(engine: &Engine, mut is_so: impl FnMut(&ModelMetrics) -> bool) -> ModelMetrics {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metrics = of_model(engine);
        if is_so(&metrics) {
            return metrics;
        }
        assert!(Instant::now() < deadline, "{metrics:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_idle_engine_has_done_nothing() {
    let engine = engine(tiny().parallel(4).context_length(512));
    let metrics = engine.metrics();
    assert!(metrics.requests.is_empty());
    let model = &metrics.models[0];
    assert_eq!((model.model.as_str(), model.slots, model.slots_busy, model.queue_length), ("m", 4, 0, 0));
    assert_eq!((model.kv_cells, model.kv_cells_used, model.prompt_tokens), (512, 0, 0));
}

#[test]
fn requests_and_tokens_are_counted() {
    let engine = engine(tiny());
    let usage = engine.chat().create(&greedy("Hello", 20)).unwrap().usage;
    let usage_of_two = engine.chat().create(&greedy("Hello", 5).n(2)).unwrap().usage;
    assert!(engine.chat().create(&greedy("Hello", 5_000)).is_err());
    let (prompt, answers) = (usage.prompt_tokens + usage_of_two.prompt_tokens, 20 + 2 * 5);
    assert_eq!(usage.completion_tokens + usage_of_two.completion_tokens, answers);
    let model = when(&engine, |model| model.slots_busy == 0);
    assert_eq!((model.prompt_tokens, model.completion_tokens), (u64::from(prompt), u64::from(answers)));
    assert_eq!(model.kv_cells_used, 0);
    assert_eq!((model.queue_time.count, model.time_to_first_token.count), (2, 3));
    assert_eq!(model.inter_token_time.count, u64::from(answers) - 3);
    assert!(model.time_to_first_token.sum > 0.0 && model.inter_token_time.mean() < 10.0);
    let metrics = engine.metrics();
    assert_eq!(metrics.requests, BTreeMap::from([(200, 2), (400, 1)]));
    assert_eq!((metrics.requests_in_flight, metrics.request_duration.count), (0, 3));
    // They outlive the models, which then have no room for anything.
    engine.close();
    let mut closed = metrics;
    (closed.models[0].slots, closed.models[0].kv_cells) = (0, 0);
    assert_eq!(engine.metrics(), closed);
}

#[test]
fn what_runs_and_waits_is_seen() {
    let engine = engine(roomy().parallel(1));
    let mut running = engine.chat().create_stream(&greedy("Hello", ENDLESS)).unwrap();
    let waiting = engine.chat().create_stream(&greedy("Hello", 1)).unwrap();
    assert!(running.next().unwrap().is_ok());
    let model = when(&engine, |model| model.queue_length == 1 && model.kv_cells_used > 0);
    assert_eq!(model.slots_busy, 1);
    assert_eq!(engine.metrics().requests_in_flight, 2);
    drop(running);
    assert!(waiting.map(Result::unwrap).count() > 0);
    let model = when(&engine, |model| model.slots_busy == 0);
    assert_eq!((model.queue_length, model.kv_cells_used), (0, 0));
    // One was given up: it is counted when the scheduler has let it go.
    let both = BTreeMap::from([(200, 1), (499, 1)]);
    wait_until("they are not counted", || engine.metrics().requests == both);
}

#[test]
fn predictions_and_evictions_are_counted() {
    let options = tiny().context_length(256).parallel(4);
    let engine = engine(options);
    let text = engine.chat().create(&greedy("Hello", 60)).unwrap().text().unwrap().to_owned();
    let predicted = greedy("Hello", 60).prediction(PredictionContent::new(text));
    let details = engine.chat().create(&predicted).unwrap().usage.completion_tokens_details;
    assert!(details.accepted_prediction_tokens > 0);
    let model = of_model(&engine);
    assert_eq!(model.accepted_prediction_tokens, u64::from(details.accepted_prediction_tokens));
    assert_eq!(model.rejected_prediction_tokens, u64::from(details.rejected_prediction_tokens));
    // Let in together, four of 150 tokens do not fit into 256 cells. Where one thread has its answer
    // before the next has its turn, they are not together.
    wait_until("nothing was evicted", || {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| engine.chat().create(&greedy("Hello", 150)).unwrap());
            }
        });
        of_model(&engine).evictions > 0
    });
}

#[test]
fn texts_to_embed_are_counted() {
    let options = ModelOptions::new(model("tiny/tiny-embedding-mean.gguf")).threads(1);
    let engine = engine(options);
    let usage = engine.embeddings().create(&CreateEmbeddingRequest::new("m", ["a cat", "a dog"])).unwrap().usage;
    assert_eq!(of_model(&engine).prompt_tokens, u64::from(usage.prompt_tokens));
    wait_until("the request is not counted", || engine.metrics().requests.get(&200) == Some(&1));
}

#[test]
fn the_door_has_the_metrics() {
    let engine = engine(tiny());
    engine.chat().create(&greedy("Hello", 3)).unwrap();
    when(&engine, |model| model.slots_busy == 0);
    for path in ["/metrics", "/v1/metrics", "/metrics?x=1"] {
        let (kind, text) = get(&engine, path);
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, engine.metrics().to_prometheus());
        assert!(text.contains("zerohop_requests_total{status=\"200\"} 1\n"), "{text}");
        assert!(text.contains("zerohop_completion_tokens_total{model=\"m\"} 3\n"), "{text}");
    }
    let (kind, body) = get(&engine, "/metrics?format=json");
    assert_eq!(kind, "application/json");
    assert_eq!(serde_json::from_slice::<Metrics>(&body).unwrap(), engine.metrics());
    let posted = engine.request(&Request::post("/metrics").body("").unwrap()).unwrap();
    assert_eq!(posted.status(), 404);
}

/// Keeps the fields of spans, in the order in which the spans came.
#[derive(Default, Clone)]
struct Spans(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == "zerohop"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = BTreeMap::new();
        span.record(&mut Fields(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let index = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Fields(&mut self.0.lock().unwrap()[index]));
    }

    fn try_close(&self, span: Id) -> bool {
        let index = usize::try_from(span.into_u64()).unwrap() - 1;
        self.0.lock().unwrap()[index].insert("closed".to_owned(), "true".to_owned());
        true
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, _event: &Event<'_>) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[test]
fn requests_have_spans_in_opentelemetrys_words() {
    let engine = Engine::builder().model("m", roomy().alias("gpt-4o")).build().unwrap();
    let spans = Spans::default();
    let (reply, id) = tracing::subscriber::with_default(spans.clone(), || {
        let body = json!({
            "model": "gpt-4o", "temperature": 0, "max_tokens": 4, "n": 2, "messages": [{"role": "user", "content": "Hello"}],
        });
        let request = Request::post("/v1/chat/completions").body(body.to_string()).unwrap();
        let response = engine.request(&request).unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let Body::Full(body) = response.into_body() else { panic!("no body") };
        assert!(engine.chat().create(&greedy("Hello", 200_000)).is_err());
        let mut stream = engine.chat().create_stream(&greedy("Hello", ENDLESS)).unwrap();
        assert!(stream.next().unwrap().is_ok());
        drop(stream);
        (serde_json::from_slice::<Value>(&body).unwrap(), id)
    });
    engine.close();
    let spans = spans.0.lock().unwrap();
    assert_eq!(spans.len(), 3);
    let expected = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "zerohop"),
        ("gen_ai.request.model", "gpt-4o"),
        ("gen_ai.response.id", reply["id"].as_str().unwrap()),
        ("gen_ai.usage.input_tokens", &reply["usage"]["prompt_tokens"].to_string()),
        ("gen_ai.usage.output_tokens", "8"),
        ("gen_ai.response.finish_reasons", "[\"length\", \"length\"]"),
        ("http.response.status_code", "200"),
        ("zerohop.request.id", &id),
        ("closed", "true"),
    ];
    for (name, value) in expected {
        assert_eq!(spans[0].get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!spans[0].contains_key("error.type"));
    assert_eq!(spans[1]["error.type"], "context_length_exceeded");
    assert_eq!(spans[2]["error.type"], "cancelled");
    assert!(spans.iter().all(|span| span.contains_key("closed")));
}
