//! Ranking, on a tiny encoder whose scores numpy has computed.

mod common;

use common::{engine, model, prompt, tiny};
use http::Request;
use serde_json::{Value, json};
use zerohop::types::{
    ChatCompletionMessage, CreateChatCompletionRequest, CreateCompletionRequest, CreateEmbeddingRequest, RerankRequest,
    RerankResponse, TokenizeRequest,
};
use zerohop::{Body, Engine, Error, ErrorKind, ModelOptions};

fn ranker() -> Engine {
    engine(ModelOptions::new(model("tiny/tiny-rank.gguf")).threads(1))
}

fn rank(engine: &Engine, query: &str, documents: &[&str]) -> RerankResponse {
    engine.rerank(&RerankRequest::new("m", query, documents.iter().copied())).unwrap()
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[test]
fn scores_are_those_of_the_model() {
    let engine = ranker();
    let expected: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(model("tiny/tiny-rank.json")).unwrap()).unwrap();
    let mut scores = Vec::new();
    for pair in &expected {
        let reply = rank(&engine, pair["query"].as_str().unwrap(), &[pair["document"].as_str().unwrap()]);
        let score = f64::from(reply.results[0].relevance_score);
        let logit = pair["logit"].as_f64().unwrap();
        assert!((score - sigmoid(logit)).abs() < 2e-3, "{pair}: {score} is not {}", sigmoid(logit));
        scores.push(score);
    }
    // The reference is no constant.
    assert!(scores.iter().copied().fold(0.0, f64::max) - scores.iter().copied().fold(1.0, f64::min) > 0.2);
}

#[test]
fn the_best_documents_come_first() {
    let engine = ranker();
    let query = "what is the capital of france";
    let documents = ["rome", "paris is the capital of france", "a cat sat on the mat", "rome", ""];
    let all = rank(&engine, query, &documents);
    assert_eq!(all.results.len(), 5);
    assert!(all.results.windows(2).all(|pair| pair[0].relevance_score >= pair[1].relevance_score));
    let score = |index: u32| all.results.iter().find(|result| result.index == index).unwrap().relevance_score;
    assert!(score(1) > score(0));
    // Equal documents, equal scores: bit for bit, and in the order of the request.
    assert_eq!(score(0).to_bits(), score(3).to_bits());
    let place = |index: u32| all.results.iter().position(|result| result.index == index).unwrap();
    assert!(place(0) < place(3));
    let tokens = |text: &str| engine.tokenize(&TokenizeRequest::new("m", text)).unwrap().count;
    // The marks of each pair are three: one fewer than those of its texts alone.
    let total: u32 = documents.iter().map(|document| tokens(query) + tokens(document).max(2) - 1).sum();
    assert_eq!((all.usage.prompt_tokens, all.usage.total_tokens), (total, total));

    let request = RerankRequest::new("m", query, documents).top_n(2).return_documents(true);
    let best = engine.rerank(&request).unwrap();
    assert_eq!(best.results.len(), 2);
    for (best, any) in best.results.iter().zip(&all.results) {
        assert_eq!((best.index, best.relevance_score.to_bits()), (any.index, any.relevance_score.to_bits()));
        assert_eq!(best.document.as_ref().unwrap().text, documents[best.index as usize]);
        assert_eq!(any.document, None);
    }
}

#[test]
fn callers_and_batches_do_not_change_a_score() {
    let engine = ranker();
    let words = ["red", "blue", "stone", "river", "cat", "dog", "mat"];
    let documents: Vec<String> = (0..200)
        .map(|index| (0..=index % 40).map(|word| words[(index + word * 3) % 7]).collect::<Vec<_>>().join(" "))
        .collect();
    let together = engine.rerank(&RerankRequest::new("m", "a big cat", documents.clone())).unwrap();
    std::thread::scope(|scope| {
        for result in &together.results[..40] {
            let (engine, document) = (&engine, &documents[result.index as usize]);
            scope.spawn(move || {
                let alone = rank(engine, "a big cat", &[document]).results[0].relevance_score;
                assert!((alone - result.relevance_score).abs() < 1e-3);
            });
        }
    });
}

fn refusal(result: Result<RerankResponse, Error>) -> (Option<u16>, Option<String>) {
    let error = result.unwrap_err();
    (error.status(), error.param().map(str::to_owned))
}

#[test]
fn other_models_and_long_documents_are_refused() {
    let embedding = ModelOptions::new(model("all-minilm-l6-v2-f16.gguf"));
    let rank = ModelOptions::new(model("tiny/tiny-rank.gguf")).threads(1);
    let engine = Engine::builder().model("chat", tiny()).model("embed", embedding).model("rank", rank).build().unwrap();
    let at_model = (Some(400), Some("model".to_owned()));
    for name in ["chat", "embed"] {
        assert_eq!(refusal(engine.rerank(&RerankRequest::new(name, "a", ["b"]))), at_model);
    }
    assert_eq!(refusal(engine.rerank(&RerankRequest::new("none", "a", ["b"]))).0, Some(404));
    let chat = CreateChatCompletionRequest::new("rank", [ChatCompletionMessage::user("Hi")]);
    for error in [
        engine.embeddings().create(&CreateEmbeddingRequest::new("rank", "a")).unwrap_err(),
        engine.chat().create(&chat).unwrap_err(),
        engine.completions().create(&CreateCompletionRequest::new("rank", "a")).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("model")), "{error}");
    }
    let long = "red ".repeat(130);
    let request = RerankRequest::new("rank", "a cat", ["a dog", &long]);
    let error = engine.rerank(&request).unwrap_err();
    assert_eq!((error.param(), error.code()), (Some("documents[1]"), Some("context_length_exceeded")));
    assert!(error.message().contains("135 tokens together; this model takes 128"), "{error}");
    let dimensions: Vec<_> = engine.model_info().iter().map(|info| info.embedding_dimensions).collect();
    assert_eq!(dimensions, [None, Some(384), None]);
}

#[test]
fn the_door_answers_in_the_usual_shape() {
    let engine = ranker();
    let body =
        json!({"model": "m", "query": "a cat", "documents": ["a dog", {"text": "the mat"}], "return_documents": true});
    for path in ["/v1/rerank", "/rerank"] {
        let request = Request::post(path).body(body.to_string()).unwrap();
        let response = engine.submit_async(request).unwrap().wait().unwrap();
        assert_eq!(response.status(), 200);
        let Body::Full(reply) = response.into_body() else { panic!("ranking is no stream") };
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        assert!(reply["id"].as_str().unwrap().starts_with("rerank-"));
        assert_eq!((&reply["object"], &reply["model"]), (&json!("list"), &json!("m")));
        assert_eq!(reply["usage"], json!({"prompt_tokens": 14, "total_tokens": 14}));
        let results = reply["results"].as_array().unwrap();
        for result in results {
            let text = if result["index"] == 0 { "a dog" } else { "the mat" };
            assert_eq!(result["document"], json!({ "text": text }));
            assert!((0.0..=1.0).contains(&result["relevance_score"].as_f64().unwrap()));
        }
    }
    let request = Request::get("/v1/rerank").body(String::new()).unwrap();
    assert_eq!(engine.request(&request).unwrap().status(), 404);
}

#[test]
fn closing_ends_what_waits() {
    let engine = ranker();
    let documents: Vec<String> = (0..2048).map(|index| prompt(index, 20)).collect();
    let request = RerankRequest::new("m", "a cat", documents);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| engine.rerank(&request));
        rank(&engine, "a", &["b"]);
        engine.close();
        // What was done before the engine closed is an answer.
        assert!(waiting.join().unwrap().map_or_else(|error| error.kind() == ErrorKind::Closed, |_| true));
    });
    assert_eq!(engine.rerank(&request).unwrap_err().kind(), ErrorKind::Closed);
}
