//! What the fuzz targets share: how inputs are read, and what has to be true of every answer.
#![expect(clippy::missing_panics_doc, reason = "that is how a target finds something")]

#[path = "../../core/tests/common/mod.rs"]
mod common;

use std::panic::{set_hook, take_hook};
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

pub use common::caller::{Caller, Choices, assert_ends, end, limited_engine};
pub use common::media::gemma3;
pub use common::speech::{tiny as tiny_speech, weights};
pub use common::{greedy, model, tiny};
use http::Request;
use serde_json::{Value, json};
use zerohop::{Body, Engine};

/// Crates that read files which may be anything. Core takes their panics for errors of the file.
const DECODERS: [&str; 12] = [
    "/image-",
    "/image-webp-",
    "/png-",
    "/gif-",
    "/weezl-",
    "/zune-",
    "/fdeflate-",
    "/miniz_oxide-",
    "/symphonia-",
    "/color_quant-",
    "/byteorder-lite-",
    "/rubato-",
];

/// Has a panic of ours end the process, also where core would make an error of it, and starts what all
/// inputs use. Targets call it first.
///
/// libfuzzer-sys ends the process at every panic. Two kinds are no findings, because core is made for them:
/// those of decoders, and those inside of llguidance, whose hook keeps them to itself. So that this hook
/// stands before llguidance's, which a panic of ours must not pass, a grammar is made beforehand.
#[expect(clippy::print_stderr, reason = "a fuzzer is no library")]
pub fn prepare() {
    /// Models that are loaded from the same files share these weights.
    static WEIGHTS: OnceLock<Engine> = OnceLock::new();
    let engine = WEIGHTS.get_or_init(|| Engine::builder().model("m", tiny()).build().unwrap());
    let body = json!({
        "model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2,
        "response_format": {"type": "json_object"},
    });
    let reply = engine.request(&Request::post("/v1/chat/completions").body(body.to_string()).unwrap()).unwrap();
    assert_eq!(reply.status(), 200);

    let next = take_hook();
    set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |location| location.file());
        if Path::new(file).is_relative() {
            eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
            std::process::abort();
        }
        if !DECODERS.iter().any(|name| file.contains(name)) {
            next(panic);
        }
    }));
}

/// An engine for an input. A new one is made for every hundred of them: what they leave behind stays
/// little, and the others need not wait for a model.
pub fn shared_engine(build: impl FnOnce() -> Engine) -> Engine {
    static SHARED: Mutex<Option<(Engine, u32)>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap();
    let (engine, uses) = shared.take().filter(|(_, uses)| *uses < 100).unwrap_or_else(|| (build(), 0));
    *shared = Some((engine.clone(), uses + 1));
    engine
}

/// What no answer of a target takes: the rest is cut.
pub const TIME_LIMIT: Duration = Duration::from_secs(1);

/// Reads a request: a line with method and path, lines with headers, an empty line, and the body.
pub fn request(input: &[u8]) -> Option<Request<Vec<u8>>> {
    let end = input.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&input[..end]).ok()?, &input[end + 2..]);
    let mut lines = head.split('\n');
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    request.body(body.to_vec()).ok()
}

/// Answers a request, and fails unless the answer has the form of one.
pub fn answer(engine: &Engine, request: &Request<Vec<u8>>) {
    let response = engine.request(request).expect("every request has a reply");
    let status = response.status().as_u16();
    assert!(matches!(status, 200 | 400 | 403 | 404 | 408 | 409 | 503), "{status}: {:?}", response.body());
    assert!(response.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
    let is_json = response.headers()["content-type"] == "application/json";
    match response.into_body() {
        Body::Full(body) if is_json => {
            let reply: Value = serde_json::from_slice(&body).unwrap();
            if status != 200 {
                assert!(reply["error"]["message"].is_string(), "{reply}");
                assert!(body.len() < 20_000, "an error of {} bytes", body.len());
            }
        }
        Body::Full(_) => assert_eq!(status, 200),
        Body::Events(events) => {
            assert_eq!(status, 200);
            let mut last = None;
            for event in events {
                last = Some(data(&event.expect("nobody cancels")));
            }
            assert!(last.is_some());
        }
    }
}

/// What an event carries.
fn data(event: &[u8]) -> Value {
    let text = std::str::from_utf8(event).unwrap();
    let mut lines = text.strip_suffix("\n\n").expect("an event ends with an empty line").split('\n');
    let line = lines.find(|line| !line.starts_with("event: ")).expect("an event has data");
    assert_eq!(lines.next(), None, "{text:?}");
    match line.strip_prefix("data: ").expect("it is called data") {
        "[DONE]" => Value::Null,
        data => serde_json::from_str(data).unwrap(),
    }
}
