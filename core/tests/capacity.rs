//! Who may come in and for how long: time limits, draining, API keys, rate limits, request ids.

mod common;

use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use common::{ENDLESS, engine, greedy, model, prompt, roomy, tiny, wait_until, wait_until_idle};
use http::{Request, Response};
use serde_json::{Value, json};
use zerohop::types::CreateEmbeddingRequest;
use zerohop::{Body, Engine, EngineBuilder, ErrorKind, ModelOptions};

fn builder() -> EngineBuilder {
    Engine::builder().model("m", roomy())
}

fn send(engine: &Engine, headers: &[(&str, &str)], tokens: u32, stream: bool) -> Response<Body> {
    let body = json!({
        "model": "m", "temperature": 0, "max_completion_tokens": tokens, "stream": stream,
        "messages": [{"role": "user", "content": "Hello"}],
    });
    let mut request = Request::post("/v1/chat/completions");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    engine.request(&request.body(body.to_string()).unwrap()).unwrap()
}

fn get(engine: &Engine, path: &str) -> Response<Body> {
    engine.request(&Request::get(path).body("").unwrap()).unwrap()
}

fn json_of(response: Response<Body>) -> Value {
    match response.into_body() {
        Body::Full(body) => serde_json::from_slice(&body).unwrap(),
        Body::Events(_) => panic!("this is a stream"),
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_request_ends_when_its_time_has_passed() {
    let engine = builder().timeout(Duration::from_millis(150)).build().unwrap();
    let start = Instant::now();
    let error = engine.chat().create(&greedy("Hello", ENDLESS)).unwrap_err();
    assert_eq!((error.kind(), error.status(), error.code()), (ErrorKind::Timeout, Some(408), Some("request_timeout")));
    assert!(error.message().contains("150ms") && error.is_retryable(), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(150));
    wait_until_idle(&engine);

    let response = send(&engine, &[], ENDLESS, false);
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (408, "1"));
    // CS11: in a stream it is the last event.
    let Body::Events(events) = send(&engine, &[], ENDLESS, true).into_body() else { panic!("no stream") };
    let last = String::from_utf8(events.last().unwrap().unwrap()).unwrap();
    assert!(last.contains("request_timeout"), "{last}");
    wait_until_idle(&engine);
    assert_eq!(engine.metrics().requests[&408], 3);
    // Who is quick is not disturbed, unless other processes take all of the time.
    wait_until("a short answer is never in time", || send(&engine, &[], 2, false).status() == 200);
}

#[test]
fn a_request_that_waits_ends_too() {
    let engine = engine(roomy().parallel(1));
    let mut running = engine.chat().create_stream(&greedy("Hello", ENDLESS)).unwrap();
    assert!(running.next().unwrap().is_ok());
    let response = send(&engine, &[("x-request-timeout", "0.05")], 1, false);
    assert_eq!(response.status(), 408);
    // The one that runs has no limit; with one of its next steps the other has left the queue.
    let left = running.take(10_000).any(|chunk| chunk.is_ok() && engine.metrics().models[0].queue_length == 0);
    assert!(left);
}

#[test]
fn a_header_limits_one_request() {
    let engine = builder().build().unwrap();
    assert_eq!(send(&engine, &[("x-request-timeout", "0.05")], ENDLESS, false).status(), 408);
    let wrong = send(&engine, &[("x-request-timeout", "soon")], 1, false);
    assert_eq!(wrong.status(), 400);
    assert_eq!(json_of(wrong)["error"]["param"], "x-request-timeout");
    // What openai's SDK says of its own patience is its own matter.
    assert_eq!(send(&engine, &[("x-stainless-read-timeout", "0.000001")], 3, false).status(), 200);
}

#[test]
fn texts_to_embed_end_when_their_time_has_passed() {
    let options = ModelOptions::new(model("tiny/tiny-embedding-mean.gguf")).threads(1);
    let engine = Engine::builder().model("m", options).timeout(Duration::from_nanos(1)).build().unwrap();
    let error = engine.embeddings().create(&CreateEmbeddingRequest::new("m", ["a"])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn draining_finishes_what_runs_and_refuses_the_rest() {
    // ER6
    let engine = builder().build().unwrap();
    let request = greedy("Hello", 400);
    let (mut typed, whole) = (engine.chat().create_stream(&request).unwrap(), greedy("Hello", 3000));
    thread::scope(|scope| {
        let asking = scope.spawn(|| engine.chat().create(&whole));
        // It may have its answer before this thread looks.
        wait_until("the request does not come", || engine.metrics().requests_in_flight == 2 || asking.is_finished());
        let draining = [(); 2].map(|()| scope.spawn(|| engine.drain(Duration::from_secs(120))));
        let refused = loop {
            let response = send(&engine, &[], 1, false);
            if response.status() != 200 {
                break response;
            }
        };
        assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "1"));
        assert!(header(&refused, "x-request-id").starts_with("req_"));
        let body = json_of(refused);
        assert_eq!((&body["error"]["type"], &body["error"]["code"]), (&json!("server_error"), &json!("draining")));
        let error = engine.chat().create(&request).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("draining")));
        assert_eq!(get(&engine, "/metrics").status(), 200, "who watches still sees it");
        assert_eq!(asking.join().unwrap().unwrap().usage.completion_tokens, 3000);
        assert!(!engine.is_closed(), "an answer has not been fetched");
        assert!(typed.by_ref().all(|chunk| chunk.is_ok()));
        assert!(draining.into_iter().all(|draining| draining.join().unwrap()));
    });
    assert!(engine.is_closed());
    assert!(engine.drain(Duration::ZERO), "once more does no harm");
    assert_eq!(engine.chat().create(&request).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(engine.metrics().requests_in_flight, 0);
}

#[test]
fn draining_has_an_end() {
    let engine = builder().build().unwrap();
    let mut stream = engine.chat().create_stream(&greedy("Hello", ENDLESS)).unwrap();
    assert!(stream.next().unwrap().is_ok());
    assert!(!engine.drain(Duration::from_millis(50)));
    assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Closed);
}

#[test]
fn closing_ends_the_draining() {
    let engine = builder().build().unwrap();
    let stream = engine.chat().create_stream(&greedy("Hello", ENDLESS)).unwrap();
    thread::scope(|scope| {
        let draining = scope.spawn(|| engine.drain(Duration::MAX));
        while engine.chat().create(&greedy("Hello", 1)).is_ok() {}
        engine.close();
        assert!(!draining.join().unwrap());
    });
    drop(stream);
}

#[test]
fn the_door_asks_for_a_key() {
    // T5, ER1, ER4
    let engine = builder().api_key("sk-right").api_key("sk-other").build().unwrap();
    for headers in [&[][..], &[("authorization", "Bearer sk-wrong")], &[("authorization", "sk-right")]] {
        let response = send(&engine, headers, 1, false);
        assert_eq!(response.status(), 401);
        assert_eq!(header(&response, "x-should-retry"), "false");
        assert!(header(&response, "x-request-id").starts_with("req_"));
        let error = json_of(response)["error"].clone();
        assert_eq!(error["code"], "invalid_api_key");
        assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &Value::Null));
    }
    assert_eq!(
        (get(&engine, "/v1/models").status(), get(&engine, "/metrics").status()),
        (401.try_into().unwrap(), 401.try_into().unwrap())
    );
    for key in ["Bearer sk-right", "Bearer sk-other"] {
        assert_eq!(send(&engine, &[("authorization", key)], 1, false).status(), 200);
    }
    // The host itself needs none.
    assert!(engine.chat().create(&greedy("Hello", 1)).is_ok());
    let models: Value = engine.call("/v1/chat/completions", &greedy("Hello", 1)).unwrap();
    assert_eq!(models["object"], "chat.completion");
    assert_eq!(engine.metrics().requests[&401], 4);
    for wrong in ["", "a b", "ä"] {
        let error = Engine::builder().model("m", tiny()).api_key(wrong).build().unwrap_err();
        assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidArgument, Some("api_keys")));
    }
    assert!(!format!("{:?}", Engine::builder().api_key("sk-secret")).contains("secret"));
}

#[test]
fn each_key_has_so_many_requests() {
    // ER5, T10
    let engine = builder().api_key("a").api_key("b").requests_per_minute(2).build().unwrap();
    let begun = Instant::now();
    let (a, b) = ([("authorization", "Bearer a")], [("authorization", "Bearer b")]);
    for remaining in ["1", "0"] {
        let response = send(&engine, &a, 1, false);
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-ratelimit-limit-requests"), "2");
        assert_eq!(header(&response, "x-ratelimit-remaining-requests"), remaining);
        assert!(header(&response, "x-ratelimit-reset-requests").ends_with('s'));
        assert_eq!(header(&response, "x-ratelimit-limit-tokens"), "");
        assert!(header(&response, "openai-processing-ms").parse::<u32>().is_ok());
    }
    let refused = send(&engine, &a, 1, false);
    assert_eq!(refused.status(), 429);
    let seconds: u64 = header(&refused, "retry-after").parse().unwrap();
    let milliseconds: u64 = header(&refused, "retry-after-ms").parse().unwrap();
    assert_eq!(milliseconds.div_ceil(1000), seconds);
    let left = Duration::from_secs(30).saturating_sub(begun.elapsed());
    assert!(seconds <= 30 && Duration::from_millis(milliseconds) >= left, "{milliseconds} ms, at least {left:?}");
    assert_eq!(header(&refused, "x-ratelimit-remaining-requests"), "0");
    assert_eq!(json_of(refused)["error"]["code"], "rate_limit_exceeded");
    assert_eq!(send(&engine, &b, 1, false).status(), 200, "another key has its own");
    // Whom nobody knows takes from nobody.
    assert_eq!(header(&send(&engine, &[], 1, false), "x-ratelimit-limit-requests"), "");
}

#[test]
fn tokens_are_taken_and_given_back() {
    // T10, ER5, ER7
    let engine = builder().tokens_per_minute(1000).build().unwrap();
    let remaining =
        |response: &Response<Body>| header(response, "x-ratelimit-remaining-tokens").parse::<u64>().unwrap();
    let begun = Instant::now();
    let response = send(&engine, &[], 10, false);
    let left = remaining(&response);
    let used = json_of(response)["usage"]["total_tokens"].as_u64().unwrap();
    let more = begun.elapsed().as_secs() * 1000 / 60 + 17;
    assert!((1000 - used..=1000 - used + more).contains(&left), "{left} left after {used}");

    let stream = send(&engine, &[], 800, true);
    assert!(remaining(&stream) < 200, "they are taken before they are generated");
    let refused = send(&engine, &[], 800, false);
    assert_eq!((refused.status().as_u16(), header(&refused, "x-should-retry")), (429, ""));
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() > 20);
    // A dropped stream gives back what it has not used: more than come with the time.
    let (begun, left) = (Instant::now(), remaining(&get(&engine, "/v1/models")));
    drop(stream);
    wait_until("the tokens did not come back", || {
        remaining(&get(&engine, "/v1/models")) > left + 300 + begun.elapsed().as_secs() * 1000 / 60
    });
    // What can never fit is not worth a retry.
    let large = send(&engine, &[], 2000, false);
    assert_eq!((large.status().as_u16(), header(&large, "x-should-retry")), (429, "false"));
    // Typed calls have no limits.
    assert!(engine.chat().create(&greedy(&prompt(1, 900), 300)).is_ok());
}

#[test]
fn an_event_loop_meets_the_same_limits() {
    let engine = builder().api_key("k").requests_per_minute(1).timeout(Duration::from_millis(100)).build().unwrap();
    let submit = |key: &str| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": ENDLESS});
        let request = Request::post("/v1/chat/completions").header("authorization", format!("Bearer {key}"));
        engine.submit_async(request.body(body.to_string()).unwrap()).unwrap().wait().unwrap()
    };
    assert_eq!(submit("wrong").status(), 401);
    let late = submit("k");
    assert_eq!((late.status().as_u16(), header(&late, "x-ratelimit-remaining-requests")), (408, "0"));
    assert_eq!(submit("k").status(), 429);
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    // Times are measured with the monotonic clock; a wait until a moment that has long passed, or never
    // comes, ends at once or when the answer is there.
    let engine = engine(tiny());
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}).to_string();
    let request = Request::post("/v1/chat/completions").header("x-request-timeout", "1e18").body(body).unwrap();
    let mut pending = engine.submit(&request).unwrap();
    let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    let mut reply = pending.wait_until(past);
    if reply.is_pending() {
        reply = pending.wait_until(Instant::now() + Duration::from_secs(365 * 24 * 3600));
    }
    assert!(matches!(reply, Poll::Ready(Ok(response)) if response.status() == 200));
    assert!(engine.drain(Duration::MAX));
}
