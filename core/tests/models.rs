//! Models that come and go: loaded and unloaded at run time, lazily, under a memory budget.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use common::{
    ENDLESS, Loading, assert_memory_settles, count, engine, greedy, model, roomy, tiny, use_one_arena, wait_until,
};
use futures_executor::block_on;
use zerohop::types::CreateChatCompletionRequest;
use zerohop::{Body, Engine, ErrorKind, ModelOptions, inspect};

fn to(model: &str, tokens: u32) -> CreateChatCompletionRequest {
    let mut request = greedy("Hello", tokens);
    model.clone_into(&mut request.model);
    request
}

fn ask(engine: &Engine, model: &str) -> zerohop::Result<String> {
    engine.chat().create(&to(model, 4)).map(|reply| reply.text().unwrap_or_default().to_owned())
}

fn listed(engine: &Engine) -> Vec<String> {
    engine.models().list().data.into_iter().map(|model| model.id).collect()
}

fn loaded(engine: &Engine) -> Vec<String> {
    engine.model_info().into_iter().filter(|info| info.loaded).map(|info| info.id).collect()
}

fn chat(model: &str) -> http::Request<Vec<u8>> {
    let body = serde_json::to_vec(&to(model, 4)).unwrap();
    http::Request::post("/v1/chat/completions").body(body).unwrap()
}

/// Lazy models `a`, `b` and `c` over the same weights, of which so many fit into memory.
fn lazy_engine(fitting: u64, options: &ModelOptions) -> Engine {
    let memory = inspect(options.clone()).unwrap().memory;
    let budget = memory.weights + fitting * memory.kv_cache + memory.kv_cache / 2;
    let mut builder = Engine::builder().memory_budget(budget);
    for name in ["a", "b", "c"] {
        builder = builder.model(name, options.clone().lazy(true));
    }
    builder.build().unwrap()
}

/// A generation that does not end by itself, of a [`roomy`] model.
fn busy(engine: &Engine, name: &str) -> zerohop::ChatCompletionStream {
    let mut stream = engine.chat().create_stream(&to(name, ENDLESS)).unwrap();
    assert!(stream.next().unwrap().is_ok());
    stream
}

#[test]
fn a_model_comes_and_goes_while_others_compute() {
    // MO1, MO2, MO3
    let engine = engine(tiny());
    let expected = ask(&engine, "m").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let caller = {
        let (engine, stop) = (engine.clone(), stop.clone());
        thread::spawn(move || {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                answers.push(ask(&engine, "m").unwrap());
            }
            answers
        })
    };
    for _ in 0..3 {
        let info = engine.load("new", tiny().alias("also")).unwrap();
        assert!(info.loaded && info.id == "new" && info.aliases == ["also"]);
        assert_eq!(listed(&engine), ["m", "new", "also"]);
        assert_eq!(ask(&engine, "also").unwrap(), expected);
        engine.unload("also").unwrap();
        assert_eq!(listed(&engine), ["m"]);
        let error = ask(&engine, "new").unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("model_not_found")));
    }
    stop.store(true, Ordering::Relaxed);
    let answers = caller.join().unwrap();
    assert!(answers.iter().all(|answer| *answer == expected));
}

#[test]
fn names_are_taken_once_and_free_after_a_failure() {
    let engine = engine(tiny().alias("alias"));
    for name in ["m", "alias", ""] {
        assert_eq!(engine.load(name, tiny()).unwrap_err().kind(), ErrorKind::InvalidArgument, "{name}");
    }
    let error = engine.load("x", tiny().alias("m")).unwrap_err();
    assert!(error.message().contains("'m'"), "{error}");
    assert_eq!(engine.load("x", "/no/such.gguf").unwrap_err().kind(), ErrorKind::ModelFile);
    assert_eq!(engine.load("x", tiny().parallel(257)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(engine.load("x", tiny().progress(|_| false)).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(listed(&engine), ["m", "alias"]);
    engine.load("x", tiny()).unwrap();
    assert_eq!(engine.unload("y").unwrap_err().kind(), ErrorKind::NotFound);
    engine.close();
    assert_eq!(engine.load("z", tiny()).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(engine.unload("x").unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn requests_of_an_unloaded_model_end_and_others_do_not() {
    let engine = engine(roomy());
    engine.load("new", roomy().parallel(2)).unwrap();
    let mut stays = busy(&engine, "m");
    let mut running = busy(&engine, "new");
    let mut waiting: Vec<_> = (0..4).map(|_| engine.submit(&chat("new")).unwrap()).collect();
    engine.unload("new").unwrap();
    let error = running.find_map(Result::err).unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("model_unloaded")));
    assert!(error.is_retryable());
    for pending in waiting.drain(..) {
        let status = pending.wait().unwrap().status();
        assert!(status == 503 || status == 200, "{status}");
    }
    assert!((0..20).all(|_| stays.next().unwrap().is_ok()));
    // Embeddings end in the same way.
    engine.load("new", model("tiny/tiny-embedding-mean.gguf")).unwrap();
    engine.unload("new").unwrap();
}

#[test]
fn many_threads_load_and_unload() {
    let engine = engine(tiny());
    thread::scope(|scope| {
        for caller in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for round in 0..count(4, 50) {
                    let own = format!("own-{caller}");
                    engine.load(&own, tiny().lazy(round % 2 == 0)).unwrap();
                    // Of those who want the same name, one gets it.
                    if let Err(error) = engine.load("shared", tiny()) {
                        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
                    } else {
                        engine.unload("shared").unwrap();
                    }
                    ask(engine, &own).unwrap();
                    engine.unload(&own).unwrap();
                }
            });
        }
    });
    assert_eq!(listed(&engine), ["m"]);
}

#[test]
fn only_what_was_loaded_at_run_time_is_deleted_through_the_door() {
    // MO3
    let engine = engine(tiny());
    engine.load("org/new:1", tiny()).unwrap();
    let delete = |name: &str| {
        let request = http::Request::delete(format!("/v1/models/{name}")).body("").unwrap();
        let response = engine.request(&request).unwrap();
        let Body::Full(body) = response.body() else { panic!("no events are wanted") };
        (response.status().as_u16(), serde_json::from_slice::<serde_json::Value>(body).unwrap())
    };
    let (status, body) = delete("m");
    assert_eq!((status, &body["error"]["param"]), (403, &"model".into()));
    let (status, body) = delete("org%2Fnew%3A1");
    assert_eq!(status, 200);
    assert_eq!(body, serde_json::json!({"id": "org/new:1", "object": "model", "deleted": true}));
    let (status, body) = delete("org%2Fnew%3A1");
    assert_eq!((status, &body["error"]["code"]), (404, &"model_not_found".into()));
    assert_eq!(listed(&engine), ["m"]);
}

#[test]
fn the_first_requests_load_a_lazy_model_once() {
    let engine = Engine::builder().model("lazy", tiny().lazy(true)).model("m", tiny()).build().unwrap();
    assert_eq!(listed(&engine), ["lazy", "m"]);
    let before = engine.model_info();
    assert!(!before[0].loaded && before[1].loaded);
    assert_eq!(before[0].vocabulary_size, before[1].vocabulary_size);
    thread::scope(|scope| {
        for caller in 0..16 {
            let engine = &engine;
            scope.spawn(move || match caller % 3 {
                0 => assert!(ask(engine, "lazy").is_ok()),
                1 => assert_eq!(engine.request(&chat("lazy")).unwrap().status(), 200),
                _ => assert_eq!(engine.submit_async(chat("lazy")).unwrap().wait().unwrap().status(), 200),
            });
        }
    });
    let after = engine.model_info();
    assert!(after[0].loaded);
    // All came to one and the same model: another would count from zero.
    assert_eq!(engine.metrics().models[0].completion_tokens, 64);
    assert_eq!(engine.metrics().models[0].slots, 16);
}

#[test]
fn what_is_known_of_a_lazy_model_is_what_loading_finds() {
    for file in ["tiny-llama", "tiny-embedding-mean", "tiny-embedding-cls", "tiny-gemma3", "tiny-no-template"] {
        let options = ModelOptions::new(model(&format!("tiny/{file}.gguf"))).threads(1);
        let engine = engine(options.clone());
        let mut lazy = engine.load("m2", options.lazy(true)).unwrap();
        let mut eager = engine.model_info().remove(0);
        assert!(!lazy.loaded && eager.loaded, "{file}");
        // Where it lies is known once it is loaded.
        assert!(lazy.placement.is_empty() && !eager.placement.is_empty(), "{file}");
        eager.placement.clear();
        lazy.batch_variance.clone_from(&eager.batch_variance);
        (lazy.loaded, eager.id) = (true, lazy.id.clone());
        assert_eq!(lazy, eager, "{file}");
    }
}

#[test]
fn requests_for_other_models_do_not_wait_for_a_loading_one() {
    let engine = engine(tiny());
    let loading = Loading::begin(&engine, "slow");
    let mut slow: Vec<_> = (0..64).map(|_| engine.submit_async(chat("slow")).unwrap()).collect();
    slow.push(engine.submit(&chat("slow")).unwrap());
    // All of the threads that prepare requests have time for it.
    for _ in 0..8 {
        assert_eq!(engine.submit_async(chat("m")).unwrap().wait().unwrap().status(), 200);
    }
    assert!(slow.iter_mut().all(|pending| pending.wait_until(Instant::now()).is_pending()));
    // Those who do not wait are not waited for.
    let stays = slow.pop().unwrap();
    drop(slow);
    loading.finish().unwrap();
    assert_eq!(stays.wait().unwrap().status(), 200);
    assert_eq!(engine.metrics().models[1].completion_tokens, 4);
}

#[test]
fn closing_ends_a_loading_and_those_who_wait_for_it() {
    let slow = common::qwen().context_length(512).lazy(true);
    let engine = Engine::builder().model("slow", slow).build().unwrap();
    let waiting = engine.submit_async(chat("slow")).unwrap();
    engine.close();
    // The engine was closed before the model was there, or the request had just begun.
    assert!(waiting.wait().map_or_else(|error| error.kind() == ErrorKind::Closed, |reply| reply.status() != 500));
}

#[test]
fn a_lazy_model_that_cannot_be_loaded_says_why_and_can_be_tried_again() {
    let folder = std::env::temp_dir().join(format!("zerohop-lazy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.gguf");
    std::fs::copy(model("tiny/tiny-llama.gguf"), &path).unwrap();
    let options = ModelOptions::new(&path).threads(1).lazy(true);
    let engine = Engine::builder().model("m", options).build().unwrap();
    std::fs::write(&path, "no model").unwrap();
    let typed = ask(&engine, "m").unwrap_err();
    assert_eq!((typed.kind(), typed.code()), (ErrorKind::Unavailable, Some("model_load_failed")));
    assert!(typed.message().contains("model.gguf") && !typed.is_retryable(), "{typed}");
    let response = engine.request(&chat("m")).unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["x-should-retry"]), (503, &"false".parse().unwrap()));
    assert_eq!(listed(&engine), ["m"]);
    std::fs::copy(model("tiny/tiny-llama.gguf"), &path).unwrap();
    ask(&engine, "m").unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_lazy_file_that_is_none_is_refused_at_once() {
    for (file, kind) in [("hostile/not-gguf.gguf", ErrorKind::InvalidModel), ("nowhere.gguf", ErrorKind::ModelFile)] {
        let options = ModelOptions::new(common::models().join(file)).lazy(true);
        assert_eq!(Engine::builder().model("m", options).build().unwrap_err().kind(), kind);
    }
}

#[test]
fn the_time_limit_of_a_request_includes_the_loading() {
    let engine = Engine::builder().model("m", tiny()).timeout(Duration::from_millis(20)).build().unwrap();
    let loading = Loading::begin(&engine, "slow");
    assert_eq!(ask(&engine, "slow").unwrap_err().kind(), ErrorKind::Timeout);
    // Through the door too: a thread that waits, one that looks now and then, and a task.
    let submit = || engine.submit(&chat("slow")).unwrap();
    let mut polled = submit();
    let replies = [
        submit().wait(),
        engine.submit_async(chat("slow")).unwrap().wait(),
        block_on(engine.submit_async(chat("slow")).unwrap()),
        loop {
            if let Poll::Ready(reply) = polled.wait_until(Instant::now() + Duration::from_millis(5)) {
                break reply;
            }
        },
    ];
    assert!(replies.iter().all(|reply| reply.as_ref().is_ok_and(|reply| reply.status() == 408)), "{replies:?}");
    wait_until("a request goes on", || engine.metrics().requests_in_flight == 0);
    loading.finish().unwrap();
    assert_eq!(engine.metrics().models[1].completion_tokens, 0);
}

#[test]
fn of_those_who_wait_for_a_model_the_hurried_go_first() {
    let engine = engine(tiny());
    let loading = Loading::begin(&engine, "slow");
    let submit = |timeout: Option<&str>| {
        let mut request = chat("slow");
        if let Some(timeout) = timeout {
            request.headers_mut().insert("x-request-timeout", timeout.parse().unwrap());
        }
        engine.submit(&request).unwrap()
    };
    let [patient, unlimited] = [Some("3600"), None].map(submit);
    for timeout in ["0.05", "0.001", "0.02"] {
        assert_eq!(submit(Some(timeout)).wait().unwrap().status(), 408);
    }
    loading.finish().unwrap();
    for pending in [patient, unlimited] {
        assert_eq!(pending.wait().unwrap().status(), 200);
    }
}

#[test]
fn the_model_that_was_not_used_for_longest_makes_room() {
    let engine = lazy_engine(2, &tiny());
    for name in ["a", "b", "a"] {
        ask(&engine, name).unwrap();
    }
    assert_eq!(loaded(&engine), ["a", "b"]);
    ask(&engine, "c").unwrap();
    assert_eq!(loaded(&engine), ["a", "c"]);
    ask(&engine, "b").unwrap();
    assert_eq!(loaded(&engine), ["b", "c"]);
    assert_eq!(engine.metrics().models.iter().map(|model| model.slots).collect::<Vec<_>>(), [0, 16, 16]);
    // One that comes at run time makes room for itself too, and keeps it.
    engine.load("new", tiny()).unwrap();
    assert_eq!(loaded(&engine), ["b", "new"]);
    ask(&engine, "c").unwrap();
    assert_eq!(loaded(&engine), ["c", "new"]);
    engine.unload("new").unwrap();
    ask(&engine, "a").unwrap();
    assert_eq!(loaded(&engine), ["a", "c"]);
}

#[test]
fn a_model_in_use_is_never_unloaded() {
    let engine = lazy_engine(1, &roomy());
    let mut stream = busy(&engine, "a");
    let error = ask(&engine, "b").unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("memory_budget_exceeded")));
    assert!(error.is_retryable() && error.message().contains("MiB"), "{error}");
    assert_eq!(engine.request(&chat("b")).unwrap().status(), 503);
    assert_eq!(engine.load("new", roomy()).unwrap_err().kind(), ErrorKind::Unavailable);
    assert!((0..20).all(|_| stream.next().unwrap().is_ok()));
    drop(stream);
    wait_until("the dropped request keeps its model", || ask(&engine, "b").is_ok());
    assert_eq!(loaded(&engine), ["b"]);
}

#[test]
fn what_can_never_fit_is_refused_for_good() {
    let error = Engine::builder().model("m", tiny()).memory_budget(1000).build().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("memory_budget_exceeded")));
    let engine = Engine::builder().model("m", tiny().lazy(true)).memory_budget(1000).build().unwrap();
    assert!(!ask(&engine, "m").unwrap_err().is_retryable());
}

#[test]
fn callers_of_more_models_than_fit_are_all_answered() {
    let engine = lazy_engine(2, &tiny());
    let expected = ask(&engine, "a").unwrap();
    thread::scope(|scope| {
        for caller in 0..6 {
            let (engine, expected) = (&engine, &expected);
            scope.spawn(move || {
                for round in 0..count(8, 100) {
                    let name = ["a", "b", "c"][(caller + round) % 3];
                    let begin = Instant::now();
                    let answer = loop {
                        match ask(engine, name) {
                            Ok(answer) => break answer,
                            Err(error) => assert_eq!(error.code(), Some("memory_budget_exceeded"), "{error}"),
                        }
                        assert!(begin.elapsed() < Duration::from_secs(60), "{name} is never loaded");
                        thread::sleep(Duration::from_millis(1));
                    };
                    assert_eq!(answer, *expected);
                }
            });
        }
    });
    assert!(loaded(&engine).len() <= 2);
}

#[test]
fn memory_comes_back_after_unloading() {
    use_one_arena();
    let engine = lazy_engine(1, &tiny());
    let options = || tiny().repack(zerohop::Repack::Off);
    let mut rounds = 0;
    // The KV cache alone is larger than the leak that would be found.
    assert_memory_settles(512, || {
        for _ in 0..7 {
            engine.load("new", options()).unwrap();
            ask(&engine, "new").unwrap();
            engine.unload("new").unwrap();
            rounds += 1;
        }
        for name in ["a", "b"] {
            ask(&engine, name).unwrap();
        }
    });
    assert!(rounds >= 50, "{rounds}");
}
