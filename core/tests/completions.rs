//! Legacy completions: plain text in, plain text out.

mod common;

use std::thread;

use common::{engine, greedy, model, prompt, qwen, roomy, tiny};
use futures_util::StreamExt;
use http::Request;
use serde_json::{Value, json};
use zerohop::types::{
    ChatCompletionMessage, Completion, CompletionLogprobs, CompletionPrompt, CreateChatCompletionRequest,
    CreateCompletionRequest, DetokenizeRequest, FinishReason, ResponseFormat, StreamOptions, TokenizeRequest,
};
use zerohop::{Body, Engine, ErrorKind, ModelOptions};

fn request(prompt: impl Into<CompletionPrompt>) -> CreateCompletionRequest {
    CreateCompletionRequest::new("m", prompt).temperature(0.0)
}

fn create(engine: &Engine, request: &CreateCompletionRequest) -> Completion {
    engine.completions().create(request).unwrap()
}

fn text(engine: &Engine, request: &CreateCompletionRequest) -> String {
    create(engine, request).text().unwrap().to_owned()
}

fn logprobs(reply: &Completion) -> &CompletionLogprobs {
    let logprobs = reply.choices[0].logprobs.as_ref().unwrap();
    let count = logprobs.tokens.len();
    assert_eq!(
        [logprobs.token_logprobs.len(), logprobs.top_logprobs.len(), logprobs.text_offset.len()],
        [count, count, count]
    );
    logprobs
}

fn tokens(engine: &Engine, text: &str) -> Vec<u32> {
    engine.tokenize(&TokenizeRequest::new("m", text)).unwrap().tokens
}

fn refusal(engine: &Engine, request: &CreateCompletionRequest) -> (ErrorKind, Option<String>, String) {
    let error = engine.completions().create(request).unwrap_err();
    (error.kind(), error.param().map(str::to_owned), error.message().to_owned())
}

/// The chunks of a stream put together, choice by choice.
fn joined(engine: &Engine, request: &CreateCompletionRequest) -> Vec<(String, Option<FinishReason>, Vec<u32>)> {
    let mut choices: Vec<(String, Option<FinishReason>, Vec<u32>)> = Vec::new();
    let mut ids = std::collections::HashSet::new();
    for chunk in engine.completions().create_stream(request).unwrap() {
        let chunk = chunk.unwrap();
        ids.insert(chunk.id.clone());
        for choice in chunk.choices {
            let index = choice.index as usize;
            choices.resize_with(choices.len().max(index + 1), Default::default);
            let (text, end, offsets) = &mut choices[index];
            // CO3: null until the last.
            assert_eq!(*end, None);
            text.push_str(&choice.text);
            *end = choice.finish_reason;
            offsets.extend(choice.logprobs.into_iter().flat_map(|logprobs| logprobs.text_offset));
        }
    }
    assert_eq!(ids.len(), 1);
    choices
}

#[test]
fn a_text_is_gone_on_from() {
    // CO1, CO3, CO8
    let engine = engine(qwen());
    let reply = create(&engine, &request("The capital of France is"));
    assert!(reply.id.starts_with("cmpl-"));
    assert!(reply.text().unwrap().contains("Paris"), "{reply:?}");
    assert_eq!(reply.choices[0].finish_reason, Some(FinishReason::Length));
    let usage = reply.usage().unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (5, 16));
    assert_eq!(reply.choices[0].logprobs, None);
    let stopped = create(&engine, &request("1, 2, 3, 4,").stop(" 7").max_tokens(32));
    assert_eq!((stopped.text(), stopped.choices[0].finish_reason), (Some(" 5, 6,"), Some(FinishReason::Stop)));
}

#[test]
fn gaps_are_filled() {
    // CO6
    let engine = engine(qwen());
    let gap = request("def add(a, b):\n    return ").suffix("\n\nprint(add(1, 2))\n").max_tokens(32).stop("\n");
    let reply = create(&engine, &gap);
    assert_eq!(reply.text().unwrap().trim(), "a + b");
    // With the marks, and nothing else, around the texts.
    let by_hand =
        tokens(&engine, "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>");
    assert_eq!(reply.usage().unwrap().prompt_tokens as usize, by_hand.len());
    assert_eq!(text(&engine, &request(by_hand).max_tokens(32).stop("\n")), reply.text().unwrap());
    let echoed = text(&engine, &gap.clone().echo(true));
    assert_eq!(echoed, format!("def add(a, b):\n    return {}", reply.text().unwrap()));
    // In somebody's file the spelling of a mark is text.
    let spelled = create(&engine, &request("x = '<|fim_middle|>").suffix("'\n").max_tokens(1));
    assert!(spelled.usage().unwrap().prompt_tokens > 10);

    let tiny = common::engine(tiny());
    let (kind, param, message) = refusal(&tiny, &request("a").suffix("b"));
    assert_eq!((kind, param.as_deref()), (ErrorKind::InvalidRequest, Some("suffix")));
    assert!(message.contains("cannot fill in"), "{message}");
    assert!(tiny.completions().create(&request("a").suffix("")).is_ok());
}

#[test]
fn the_probabilities_of_a_prompt_are_those_of_generating_it() {
    // CO4, CO5
    let engine = engine(tiny());
    let start = "stone river cloud engine";
    let whole = create(&engine, &request(start).max_tokens(40).logprobs(2));
    let generated = logprobs(&whole);
    assert_eq!(generated.tokens.len(), 40);
    // Scored again as a part of the prompt, across several slices.
    let size = u32::try_from(engine.model_info()[0].vocabulary_size).unwrap();
    let spelled: Vec<String> =
        (0..size).map(|id| engine.detokenize(&DetokenizeRequest::new("m", [id])).unwrap().prompt).collect();
    let ids = generated.tokens.iter().map(|token| spelled.iter().position(|text| text == token).unwrap());
    let ids = ids.map(|id| u32::try_from(id).unwrap());
    let prompt: Vec<u32> = tokens(&engine, start).into_iter().chain(ids).collect();
    let scoring = create(&engine, &request(prompt.clone()).max_tokens(0).echo(true).logprobs(2));
    assert_eq!(scoring.text().unwrap(), format!("{start}{}", whole.text().unwrap()));
    assert_eq!(scoring.choices[0].finish_reason, Some(FinishReason::Length));
    assert_eq!(scoring.usage().unwrap().completion_tokens, 0);
    let scored = logprobs(&scoring);
    assert_eq!(scored.tokens.len(), prompt.len());
    assert_eq!((scored.token_logprobs[0], &scored.top_logprobs[0]), (None, &None));
    let at = prompt.len() - 40;
    assert_eq!(scored.tokens[at..], generated.tokens[..]);
    for (a, b) in scored.token_logprobs[at..].iter().zip(&generated.token_logprobs) {
        assert!((a.unwrap() - b.unwrap()).abs() < 0.02, "{a:?} {b:?}");
    }
    // The engine's tokens, not the likeliest ones.
    assert!(scored.token_logprobs[1..at].iter().all(|logprob| logprob.is_some_and(|value| value < -1.0)));
}

#[test]
fn offsets_are_places_in_the_text() {
    // CO4: two bytes a character, a vocabulary that begins texts with a space, one with a first token
    for name in ["llama", "spm", "gemma3", "mamba"] {
        let engine = engine(ModelOptions::new(model(&format!("tiny/tiny-{name}.gguf"))).threads(1));
        let text = "the café, théâtre and 😀 hello";
        let reply = create(&engine, &request(text).max_tokens(4).echo(true).logprobs(0));
        let shown: Vec<char> = reply.text().unwrap().chars().collect();
        let lists = logprobs(&reply);
        assert_eq!(lists.tokens.len(), reply.usage().unwrap().total_tokens as usize);
        let mut checked = 0;
        for (token, offset) in
            lists.tokens.iter().zip(&lists.text_offset).filter(|(token, _)| !token.starts_with("bytes:"))
        {
            let rest: String = shown[*offset as usize..].iter().collect();
            checked += usize::from(rest.starts_with(token));
            let is_first = *offset == 0 && (token == "<s>" || rest.starts_with(token.trim_start()));
            assert!(is_first || rest.starts_with(token), "{token:?} at {offset} of {shown:?}");
        }
        assert!(checked > 10, "{lists:?}");
    }
}

#[test]
fn echoed_probabilities_go_on_into_the_answer() {
    // CO4, CO5
    let engine = engine(tiny());
    let ids = tokens(&engine, "red blue seven");
    let echoed = create(&engine, &request(ids.clone()).echo(true).logprobs(3).max_tokens(5));
    let plain = create(&engine, &request(ids.clone()).logprobs(3).max_tokens(5));
    assert_eq!(echoed.text().unwrap(), format!("red blue seven{}", plain.text().unwrap()));
    let (all, own) = (logprobs(&echoed), logprobs(&plain));
    assert_eq!(all.tokens[..ids.len()].concat(), "red blue seven");
    assert_eq!(all.tokens[ids.len()..], own.tokens[..]);
    assert_eq!(own.text_offset[0], 0);
    assert_eq!(all.text_offset[ids.len()], 14);
    for (likely, chosen) in own.top_logprobs.iter().zip(&own.token_logprobs) {
        let likely = likely.as_ref().unwrap();
        assert!((3..=4).contains(&likely.len()));
        assert!(likely.values().any(|value| Some(*value) == *chosen));
    }
    // One token: nothing comes before it.
    let single = create(&engine, &request(vec![ids[0]]).echo(true).logprobs(0).max_tokens(0));
    assert_eq!(logprobs(&single).token_logprobs, [None]);
    // Streamed, the lists are the same.
    let streamed = joined(&engine, &request(ids).echo(true).logprobs(3).max_tokens(5));
    assert_eq!((streamed[0].0.as_str(), &streamed[0].2), (echoed.text().unwrap(), &all.text_offset));
}

#[test]
fn every_prompt_has_its_answers() {
    // CO2
    let engine = engine(tiny().parallel(4));
    let prompts: Vec<String> = (0..9).map(|index| prompt(index, 3 + index * 7)).collect();
    let alone: Vec<String> = prompts.iter().map(|prompt| text(&engine, &request(prompt.as_str()))).collect();
    let batch = request(prompts.clone()).n(2);
    let together = create(&engine, &batch);
    assert_eq!(together.choices.len(), 18);
    for (index, choice) in together.choices.iter().enumerate() {
        assert_eq!((choice.index as usize, &choice.text), (index, &alone[index / 2]));
    }
    let sizes: u32 = prompts.iter().map(|prompt| u32::try_from(tokens(&engine, prompt).len()).unwrap()).sum();
    let usage = together.usage().unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (sizes, 18 * 16));
    let streamed = joined(&engine, &batch);
    let whole: Vec<_> =
        together.choices.iter().map(|choice| (choice.text.clone(), choice.finish_reason, vec![])).collect();
    assert_eq!(streamed, whole);
    let lists: Vec<Vec<u32>> = prompts.iter().map(|prompt| tokens(&engine, prompt)).collect();
    let of_tokens = create(&engine, &request(lists));
    assert_eq!(
        of_tokens.choices.iter().map(|choice| &choice.text).collect::<Vec<_>>(),
        alone.iter().collect::<Vec<_>>()
    );
}

#[test]
fn sampled_answers_differ_unless_a_seed_holds_them() {
    // CO2, CO8
    let engine = engine(tiny());
    let free = request(["red", "red"]).temperature(1.5).n(2);
    let texts = |reply: Completion| reply.choices.into_iter().map(|choice| choice.text).collect::<Vec<_>>();
    let free = texts(create(&engine, &free));
    assert_eq!(free.iter().collect::<std::collections::HashSet<_>>().len(), 4, "{free:?}");
    let seeded = request(["red", "red"]).temperature(1.5).n(2).seed(7);
    let seeded = texts(create(&engine, &seeded));
    assert_eq!(seeded[..2], seeded[2..]);
    assert_ne!(seeded[0], seeded[1]);
    assert_eq!(text(&engine, &request("red").temperature(1.5).seed(7)), seeded[0]);
}

#[test]
fn the_best_answers_are_given_and_all_are_counted() {
    // CO7
    let engine = engine(tiny());
    let sampled = request("red").temperature(1.3).seed(3).max_tokens(8).logprobs(0);
    let mean = |lists: &CompletionLogprobs| {
        let values: Vec<f32> = lists.token_logprobs.iter().map(|value| value.unwrap()).collect();
        values.iter().sum::<f32>() / f32::from(u16::try_from(values.len()).unwrap())
    };
    let all = create(&engine, &sampled.clone().n(6));
    let mut ranked: Vec<(f32, &str)> =
        all.choices.iter().map(|choice| (mean(choice.logprobs.as_ref().unwrap()), choice.text.as_str())).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = create(&engine, &sampled.clone().n(2).best_of(6));
    let given: Vec<&str> = best.choices.iter().map(|choice| choice.text.as_str()).collect();
    assert_eq!(given, ranked[..2].iter().map(|(_, text)| *text).collect::<Vec<_>>());
    assert_eq!(best.choices[1].index, 1);
    assert_eq!(best.usage().unwrap().completion_tokens, 48);
    // The same without log probabilities in the answer.
    let mut silent = sampled.n(1).best_of(6);
    silent.logprobs = None;
    let silent = create(&engine, &silent);
    assert_eq!((silent.text(), &silent.choices[0].logprobs), (Some(ranked[0].1), &None));
    let error = engine.completions().create_stream(&request("a").n(1).best_of(2)).unwrap_err();
    assert_eq!(error.param(), Some("best_of"));
}

#[test]
fn no_text_begins_a_document() {
    // CO2
    let engine = engine(tiny());
    let mut none = request("");
    let empty = create(&engine, &none);
    none.prompt = None;
    let null = create(&engine, &none);
    assert_eq!((empty.text(), empty.usage().unwrap().prompt_tokens), (null.text(), 1));
    let begun = create(&engine, &request("<|endoftext|>"));
    assert_eq!((begun.text(), begun.usage()), (null.text(), null.usage()));
}

#[test]
fn a_form_holds_here_too() {
    let engine = engine(tiny());
    let regex: ResponseFormat = serde_json::from_value(json!({"type": "regex", "regex": "[a-c]{4}x"})).unwrap();
    let reply = create(&engine, &request("red").response_format(regex));
    let shown = reply.text().unwrap();
    assert!(shown.len() == 5 && shown.ends_with('x'), "{shown:?}");
    assert_eq!(reply.choices[0].finish_reason, Some(FinishReason::Stop));
    assert_eq!(text(&engine, &request("red").grammar("start: \"yes\" | \"yes\"")), "yes");
    let (_, param, _) = refusal(&engine, &request("red").grammar("start: ("));
    assert_eq!(param.as_deref(), Some("grammar"));
}

#[test]
fn bad_requests_name_what_is_wrong() {
    let engine = engine(tiny().context_length(256));
    let long = "red ".repeat(400);
    let bad = [
        (request(vec![1, 4_000_000]), "prompt"),
        (request(vec![vec![1], vec![u32::MAX]]), "prompt[1]"),
        (request(long.as_str()), "prompt"),
        (request(["red", &long]), "prompt[1]"),
        (request("red").max_tokens(300), "prompt"),
        (request("red").logit_bias([(4_000_000, 1.0)]), "logit_bias.4000000"),
        (request("red").temperature(f32::NAN), "temperature"),
    ];
    for (request, param) in bad {
        let (kind, found, message) = refusal(&engine, &request);
        assert_eq!((kind, found.as_deref()), (ErrorKind::InvalidRequest, Some(param)), "{message}");
    }
    assert_eq!(refusal(&engine, &CreateCompletionRequest::new("none", "a")).0, ErrorKind::NotFound);
    // The default of 16 tokens is cut where the context ends.
    let full = vec![20; 250];
    let reply = create(&engine, &request(full));
    assert_eq!(reply.usage().unwrap().completion_tokens, 6);
    assert_eq!(create(&engine, &request(vec![20; 256]).max_tokens(0)).text(), Some(""));
}

#[test]
fn chats_come_between_the_prompts_of_a_batch() {
    let engine = engine(roomy().parallel(2));
    let many: Vec<String> = (0..300).map(|index| prompt(index, 30)).collect();
    let mut stream = engine.completions().create_stream(&request(many).max_tokens(400)).unwrap();
    stream.next().unwrap().unwrap();
    assert_eq!(engine.chat().create(&greedy("red", 4)).unwrap().usage.completion_tokens, 4);
    // The batch has the most of its work before it.
    let computed = engine.metrics().models[0].completion_tokens;
    assert!(computed < 300 * 400 / 2, "{computed} tokens");
}

#[test]
fn a_short_cache_and_scoring_mix_with_chats() {
    let engine = engine(tiny().context_length(256).parallel(8));
    let scoring = |index: usize| request(prompt(index, 12)).echo(true).logprobs(1).max_tokens(20).n(2);
    let chat = |index: usize| greedy(&prompt(index, 20), 60);
    let expected: Vec<Completion> = (0..6).map(|index| create(&engine, &scoring(index))).collect();
    let texts: Vec<String> =
        (0..6).map(|index| engine.chat().create(&chat(index)).unwrap().text().unwrap().to_owned()).collect();
    thread::scope(|scope| {
        for index in 0..6 {
            let (engine, expected, texts) = (&engine, &expected, &texts);
            scope.spawn(move || {
                let reply = create(engine, &scoring(index));
                for (choice, expected) in reply.choices.iter().zip(&expected[index].choices) {
                    assert_eq!(choice.text, expected.text);
                    let (a, b) = (choice.logprobs.as_ref().unwrap(), expected.logprobs.as_ref().unwrap());
                    assert_eq!((&a.tokens, &a.text_offset), (&b.tokens, &b.text_offset));
                    for (a, b) in a.token_logprobs[1..].iter().zip(&b.token_logprobs[1..]) {
                        assert!((a.unwrap() - b.unwrap()).abs() < 0.05);
                    }
                }
            });
            scope.spawn(move || {
                let reply = engine.chat().create(&chat(index)).unwrap();
                assert_eq!(reply.text(), Some(texts[index].as_str()));
            });
        }
    });
}

#[test]
fn cancelling_ends_all_prompts() {
    let engine = engine(tiny().parallel(2));
    let many: Vec<String> = (0..200).map(|index| prompt(index, 30)).collect();
    let endless = request(many).max_tokens(1000);
    let mut stream = engine.completions().create_stream(&endless).unwrap();
    assert!(stream.next().unwrap().is_ok());
    stream.cancel_handle().cancel();
    let error = stream.find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    drop(engine.completions().create_stream(&endless).unwrap());
    // Nothing of them is left to be computed.
    assert_eq!(create(&engine, &request("red").max_tokens(2)).usage().unwrap().completion_tokens, 2);
    let mut pending = engine
        .submit_async(Request::post("/v1/completions").body(serde_json::to_vec(&endless).unwrap()).unwrap())
        .unwrap();
    assert!(pending.wait_until(std::time::Instant::now()).is_pending());
    drop(pending);
    engine.close();
    assert_eq!(refusal(&engine, &request("red")).0, ErrorKind::Closed);
}

#[test]
fn the_door_answers_in_the_apis_shape() {
    // CO1, CO3, CS1, CS5, CS6
    let engine = engine(tiny());
    let send = |body: &Value| {
        let request = Request::post("/v1/completions").body(body.to_string()).unwrap();
        engine.request(&request).unwrap()
    };
    let body = json!({"model": "m", "prompt": "red", "temperature": 0, "max_tokens": 3});
    let Body::Full(whole) = send(&body).into_body() else { panic!("no stream was asked for") };
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["object"], "text_completion");
    let choice = json!({"index": 0, "text": whole["choices"][0]["text"], "logprobs": null, "finish_reason": "length"});
    assert_eq!(whole["choices"], json!([choice]));
    assert_eq!(whole["usage"]["completion_tokens"], 3);
    for include_usage in [false, true] {
        let mut body = body.clone();
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": include_usage });
        let Body::Events(events) = send(&body).into_body() else { panic!("a stream was asked for") };
        let events: Vec<String> = events.map(|event| String::from_utf8(event.unwrap()).unwrap()).collect();
        let (done, chunks) = events.split_last().unwrap();
        assert_eq!(done, "data: [DONE]\n\n");
        let chunks: Vec<Value> =
            chunks.iter().map(|chunk| serde_json::from_str(chunk.strip_prefix("data: ").unwrap()).unwrap()).collect();
        let (last, others) = chunks.split_last().unwrap();
        assert!(chunks.iter().all(|chunk| chunk["object"] == "text_completion"));
        if include_usage {
            assert!(others.iter().all(|chunk| chunk.as_object().unwrap().get("usage") == Some(&Value::Null)));
            assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
        } else {
            assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none() && chunk["choices"] != json!([])));
        }
    }
    let request = Request::get("/v1/completions").body(String::new()).unwrap();
    assert_eq!(engine.request(&request).unwrap().status(), 404);
}

#[test]
fn async_code_gets_the_same_chunks() {
    let engine = engine(tiny());
    let usage = StreamOptions::default().include_usage(true);
    let request = request("red").max_tokens(6).stream_options(usage);
    let stream = engine.completions().create_stream(&request).unwrap().into_stream();
    let chunks: Vec<Completion> = futures_executor::block_on(stream.map(Result::unwrap).collect());
    let joined: String = chunks.iter().filter_map(Completion::text).collect();
    let whole = create(&engine, &request);
    assert_eq!((joined.as_str(), chunks.last().unwrap().usage()), (whole.text().unwrap(), whole.usage()));
}

#[test]
fn an_embedding_model_writes_nothing() {
    let engine = engine(ModelOptions::new(model("tiny/tiny-embedding-mean.gguf")).threads(1));
    let (kind, param, _) = refusal(&engine, &request("red"));
    assert_eq!((kind, param.as_deref()), (ErrorKind::InvalidRequest, Some("model")));
    let chat = CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("red")]);
    assert_eq!(engine.chat().create(&chat).unwrap_err().param(), Some("model"));
}
