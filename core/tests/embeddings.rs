//! Embeddings, on a real encoder and on tiny decoders.

mod common;

use common::{count, engine, model, tiny};
use http::Request;
use serde_json::{Value, json};
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest, CreateEmbeddingRequest, EmbeddingInput};
use zerohop::{Body, Engine, ErrorKind, ModelOptions};

/// all-MiniLM-L6-v2: an encoder with mean pooling, 384 numbers, 512 tokens at most.
fn minilm() -> Engine {
    engine(ModelOptions::new(model("all-minilm-l6-v2-f16.gguf")))
}

/// A decoder of 64 numbers and 2048 tokens; all of these have the same weights.
fn tiny_embedding(pooling: &str) -> Engine {
    engine(ModelOptions::new(model(&format!("tiny/tiny-embedding-{pooling}.gguf"))).threads(1))
}

fn vectors(engine: &Engine, input: impl Into<EmbeddingInput>) -> Vec<Vec<f32>> {
    let request = CreateEmbeddingRequest::new("m", input);
    let reply = engine.embeddings().create(&request).unwrap();
    for (index, embedding) in (0..).zip(&reply.data) {
        assert_eq!(embedding.index, index);
    }
    reply.data.into_iter().map(|embedding| embedding.embedding.values).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn post(engine: &Engine, body: &Value) -> (u16, Value) {
    let request = Request::post("/v1/embeddings").body(body.to_string()).unwrap();
    let response = engine.request(&request).unwrap();
    let status = response.status().as_u16();
    match response.into_body() {
        Body::Full(body) => (status, serde_json::from_slice(&body).unwrap()),
        Body::Events(_) => panic!("embeddings are no stream"),
    }
}

const SENTENCES: [&str; 8] = [
    "A cat sits on the mat.",
    "A kitten is lying on a rug.",
    "The stock market fell sharply today.",
    "Share prices dropped this afternoon.",
    "How do I boil an egg?",
    "What is the best way to cook eggs in water?",
    "Paris is the capital of France.",
    "The French seat of government is in Paris.",
];

#[test]
fn similar_texts_have_similar_vectors() {
    // EM3, EM5
    let vectors = vectors(&minilm(), SENTENCES);
    for (index, vector) in vectors.iter().enumerate() {
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-3);
        let others = (0..SENTENCES.len()).filter(|other| *other != index);
        let nearest = others.max_by(|a, b| cosine(vector, &vectors[*a]).total_cmp(&cosine(vector, &vectors[*b])));
        assert_eq!(nearest, Some(index ^ 1), "of {:?}", SENTENCES[index]);
    }
}

#[test]
fn a_vector_is_the_same_alone_and_in_a_batch() {
    // EM7
    let engine = minilm();
    let texts: Vec<String> = (0..count(48, 256))
        .map(|index| format!("{} {}", SENTENCES[index % SENTENCES.len()], "and so on ".repeat(index % 60)))
        .collect();
    let together = vectors(&engine, texts.clone());
    for (text, vector) in texts.iter().zip(&together) {
        let alone = vectors(&engine, text.as_str());
        assert!(cosine(&alone[0], vector) >= 0.9999, "{text}");
    }
    // Equal texts, bit for bit.
    let doubled = vectors(&engine, [texts.clone(), texts].concat());
    assert_eq!(doubled[..together.len()], doubled[together.len()..]);
}

#[test]
fn callers_are_computed_together() {
    let engine = minilm();
    let alone = vectors(&engine, SENTENCES);
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let (engine, alone) = (&engine, &alone);
            scope.spawn(move || {
                for round in 0..4 {
                    let index = (caller + round) % SENTENCES.len();
                    let vector = vectors(engine, SENTENCES[index]);
                    assert!(cosine(&vector[0], &alone[index]) >= 0.9999);
                }
            });
        }
    });
}

#[test]
fn a_batch_of_long_texts_is_computed_whole() {
    // EM6: up to the limit, and not beyond.
    let engine = minilm();
    let text = |words: usize| vec!["cat"; words].join(" ");
    let long = vectors(&engine, vec![text(510), text(300), text(510)]);
    assert_eq!(long[0], long[2]);
    let request = CreateEmbeddingRequest::new("m", vec![text(10), text(511)]);
    let error = engine.embeddings().create(&request).unwrap_err();
    assert_eq!((error.param(), error.code()), (Some("input[1]"), Some("context_length_exceeded")));
    assert!(error.message().contains("513 tokens; this model takes 512 at most"), "{error}");
}

#[test]
fn tokens_are_taken_as_they_are() {
    // EM1: [CLS] hello world [SEP]
    let engine = minilm();
    let text = &vectors(&engine, "hello world")[0];
    assert!(cosine(&vectors(&engine, vec![101, 7592, 2088, 102])[0], text) > 0.9999);
    let lists = vectors(&engine, vec![vec![101, 7592, 2088, 102], vec![101, 102]]);
    assert!(cosine(&lists[0], text) > 0.9999 && cosine(&lists[1], text) < 0.9);
    for (input, param) in [(json!([30522]), "input"), (json!([[101], [102, 4_000_000_000u32]]), "input[1]")] {
        let (status, reply) = post(&engine, &json!({"model": "m", "input": input}));
        assert_eq!((status, &reply["error"]["param"]), (400, &json!(param)));
    }
}

#[test]
fn dimensions_are_cut_and_scaled() {
    // EM4
    let engine = minilm();
    let whole = &vectors(&engine, "a cat")[0];
    for dimensions in [1, 100, 384] {
        let request = CreateEmbeddingRequest::new("m", "a cat").dimensions(dimensions);
        let cut = &engine.embeddings().create(&request).unwrap().data[0].embedding.values;
        assert_eq!(cut.len(), dimensions as usize);
        let length = cosine(&whole[..cut.len()], &whole[..cut.len()]).sqrt();
        assert!((cosine(cut, &whole[..cut.len()]) - length).abs() < 1e-5);
    }
    let (status, reply) = post(&engine, &json!({"model": "m", "input": "a cat", "dimensions": 385}));
    assert_eq!((status, &reply["error"]["param"]), (400, &json!("dimensions")));
}

#[test]
fn the_door_answers_in_the_apis_shape() {
    // EM2, EM3
    let engine = minilm();
    let (status, floats) = post(&engine, &json!({"model": "m", "input": ["hello world", "cat"]}));
    assert_eq!(status, 200);
    assert_eq!((&floats["object"], &floats["model"]), (&json!("list"), &json!("m")));
    assert_eq!(floats["usage"], json!({"prompt_tokens": 7, "total_tokens": 7}));
    assert_eq!(floats["data"][1]["object"], "embedding");
    assert_eq!(floats["data"][1]["index"], 1);
    let body = json!({"model": "m", "input": ["hello world", "cat"], "encoding_format": "base64"});
    let (_, base64) = post(&engine, &body);
    // 384 floats are 1536 bytes, which are 2048 characters.
    assert_eq!(base64["data"][0]["embedding"].as_str().unwrap().len(), 2048);
    for reply in [floats, base64] {
        let reply: zerohop::types::CreateEmbeddingResponse = serde_json::from_value(reply).unwrap();
        assert!(cosine(&reply.data[0].embedding.values, &vectors(&engine, "hello world")[0]) > 0.9999);
    }
}

#[test]
fn each_model_does_what_it_can() {
    // EM8
    let options = ModelOptions::new(model("all-minilm-l6-v2-f16.gguf"));
    let engine = Engine::builder().model("chat", tiny()).model("embed", options).build().unwrap();
    let dimensions: Vec<_> = engine.model_info().iter().map(|info| info.embedding_dimensions).collect();
    assert_eq!(dimensions, [None, Some(384)]);

    let error = engine.embeddings().create(&CreateEmbeddingRequest::new("chat", "a")).unwrap_err();
    assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("model")));
    let chat = CreateChatCompletionRequest::new("embed", [ChatCompletionMessage::user("Hi")]);
    let error = engine.chat().create(&chat).unwrap_err();
    assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("model")));
    let error = engine.embeddings().create(&CreateEmbeddingRequest::new("none", "a")).unwrap_err();
    assert_eq!(error.code(), Some("model_not_found"));

    let ranking = ModelOptions::new(model("tiny/tiny-embedding-rank.gguf"));
    let error = Engine::builder().model("rank", ranking).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidModel);
    assert!(error.message().contains("ranks texts, but its file has no classifier"), "{error}");
}

#[test]
fn a_decoders_long_text_is_pooled_over_its_slices() {
    // The tokens' vectors: the last one's of every prefix, since a decoder looks back only. They all
    // have one length, because the model ends in a norm.
    const LENGTH: u32 = 520;
    let text: Vec<u32> = (0..LENGTH).map(|position| 20 + position * 7 % 150).collect();
    let prefixes: Vec<Vec<u32>> = (1..=text.len()).map(|length| text[..length].to_vec()).collect();
    let tokens = vectors(&tiny_embedding("last"), prefixes);
    let mean: Vec<f32> = (0..64).map(|column| tokens.iter().map(|vector| vector[column]).sum()).collect();
    let length = cosine(&mean, &mean).sqrt();

    let pooled = &vectors(&tiny_embedding("mean"), text.clone())[0];
    assert!(cosine(pooled, &mean) / length > 0.9999);
    let first = &vectors(&tiny_embedding("cls"), text)[0];
    assert!(cosine(first, &tokens[0]) > 0.9999);
    assert!(cosine(first, &tokens[1]) < 0.99);
}

#[test]
fn closing_ends_what_waits() {
    let engine = minilm();
    let many = CreateEmbeddingRequest::new("m", vec!["a text that takes some time ".repeat(40); 1]);
    let texts: Vec<String> = (0..2048).map(|index| format!("{index} {}", "word ".repeat(300))).collect();
    let large = CreateEmbeddingRequest::new("m", texts);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| engine.embeddings().create(&large));
        engine.embeddings().create(&many).unwrap();
        engine.close();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    });
    assert_eq!(engine.embeddings().create(&many).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn vectors_are_written_into_the_callers_memory() {
    // EM4, EM5, EM7
    let engine = tiny_embedding("mean");
    let embeddings = engine.embeddings();
    let request = CreateEmbeddingRequest::new("m", ["a cat", "a dog", "a cat"]);
    let expected = embeddings.create(&request).unwrap();
    assert_eq!(embeddings.dimensions("m").unwrap(), 64);

    let mut out = vec![7.0; 3 * 64 + 5];
    assert_eq!(embeddings.create_into(&request, &mut out).unwrap(), expected.usage);
    for (row, embedding) in out.chunks_exact(64).zip(&expected.data) {
        assert!(cosine(row, &embedding.embedding.values) > 0.9999);
    }
    assert_eq!(out[..64], out[128..192]);
    assert_eq!(out[3 * 64..], [7.0; 5]);

    let cut = CreateEmbeddingRequest::new("m", "a dog").dimensions(5);
    embeddings.create_into(&cut, &mut out).unwrap();
    assert!((cosine(&out[..5], &out[..5]) - 1.0).abs() < 1e-3);

    let error = embeddings.create_into(&request, &mut [0.0; 3 * 64 - 1]).unwrap_err();
    assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidArgument, Some("out")));
    let unknown = CreateEmbeddingRequest::new("none", "a");
    assert_eq!(embeddings.create_into(&unknown, &mut out).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(embeddings.dimensions("none").unwrap_err().kind(), ErrorKind::NotFound);
}
