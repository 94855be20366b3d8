//! What the system refuses: threads and memory. Each in a child process, whose limits are its own.

mod common;

use std::process::Command;

use common::{engine, greedy, status_kib, tiny};
use http::Request;
use serde_json::{Value, json};
use zerohop::{Body, Engine, ErrorKind};

/// Tells a test that it is the child.
const CHILD: &str = "ZEROHOP_TEST_FAULT";

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs a test of this file in a child process with these variables.
fn run_child(test: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}: {}{}", output.status, shown(&output.stdout), shown(&output.stderr));
    assert!(shown(&output.stdout).contains("1 passed"), "{}", shown(&output.stdout));
}

/// Lets the process have so much more address space.
fn limit_memory(more_kib: usize) {
    let limit = ((status_kib("VmSize:") + more_kib) << 10) as u64;
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct is live for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

fn no_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct is live for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

#[test]
fn without_threads_no_engine_is_made() {
    if !is_child() {
        // No address space has room for such a stack, so that no thread starts.
        return run_child("without_threads_no_engine_is_made", &[("RUST_MIN_STACK", "70368744177664")]);
    }
    for _ in 0..3 {
        let error = Engine::builder().model("m", tiny()).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("thread") && std::error::Error::source(&error).is_some(), "{error}");
    }
}

#[test]
fn a_request_whose_thread_cannot_start_gets_a_503() {
    if !is_child() {
        return run_child("a_request_whose_thread_cannot_start_gets_a_503", &[]);
    }
    let engine = engine(tiny());
    let submit = || {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2});
        let request = Request::post("/v1/chat/completions").body(body.to_string()).unwrap();
        engine.submit_async(request).unwrap().wait().unwrap()
    };
    // Less than a thread's stack.
    limit_memory(1 << 10);
    let refused = submit();
    no_limit();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    let Body::Full(body) = refused.into_body() else { panic!("no body") };
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["type"], "server_error");
    // It is not held against later ones.
    assert_eq!(submit().status(), 200);
    assert_eq!(engine.chat().create(&greedy("Hello", 2)).unwrap().usage.completion_tokens, 2);
}

#[test]
fn a_cache_that_gets_no_memory_is_an_error() {
    if !is_child() {
        return run_child("a_cache_that_gets_no_memory_is_an_error", &[]);
    }
    // Once, so that what is made once is there.
    drop(engine(tiny()));
    let before = status_kib("VmRSS:");
    // Of the second, not even a thread gets its stack.
    for kib in [100 << 10, 20 << 10] {
        limit_memory(kib);
        let refused = Engine::builder().model("m", tiny().context_length(200_000)).build();
        no_limit();
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("no memory for"), "{error}");
    }
    assert!(status_kib("VmRSS:") < before + (100 << 10), "what was refused is not kept");
    // Without the limit it works.
    assert_eq!(
        engine(tiny().context_length(200_000)).chat().create(&greedy("Hello", 2)).unwrap().usage.completion_tokens,
        2
    );
}
