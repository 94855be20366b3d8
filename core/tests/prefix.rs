//! The prefix cache: what is computed once is not computed again, and no answer is another.

mod common;

use std::thread;

use common::{count, engine, greedy, model, prompt, smollm2, tiny};
use zerohop::types::{ChatCompletion, ChatCompletionMessage, CreateChatCompletionRequest, CreateCompletionRequest};
use zerohop::{Engine, ModelMetrics, ModelOptions, Repack};

/// With our kernels, any number of tokens is shared.
fn repacked() -> ModelOptions {
    smollm2().repack(Repack::On)
}

fn ask(engine: &Engine, request: &CreateChatCompletionRequest) -> ChatCompletion {
    engine.chat().create(request).unwrap()
}

fn text(reply: &ChatCompletion) -> &str {
    reply.choices[0].message.content.as_deref().unwrap()
}

fn cached(reply: &ChatCompletion) -> u32 {
    reply.usage.prompt_tokens_details.cached_tokens
}

/// Once nothing runs: a request's cells are kept one step after its answer.
fn metrics(engine: &Engine) -> ModelMetrics {
    common::wait_until_idle(engine);
    engine.metrics().models.remove(0)
}

/// A conversation in turns. Gives each reply.
fn converse(engine: &Engine, questions: &[&str]) -> Vec<ChatCompletion> {
    let mut messages = Vec::new();
    let mut replies = Vec::new();
    for question in questions {
        messages.push(ChatCompletionMessage::user(*question));
        let request =
            CreateChatCompletionRequest::new("m", messages.clone()).temperature(0.0).max_completion_tokens(40);
        let reply = ask(engine, &request);
        messages.push(ChatCompletionMessage::assistant(text(&reply)));
        replies.push(reply);
    }
    replies
}

#[test]
fn a_conversation_computes_its_new_turn_alone() {
    // CR13
    let questions = ["Tell me of the sea, and of ships.", "And of the wind?", "Say it in three words."];
    let replies = converse(&engine(repacked()), &questions);
    let without = converse(&engine(repacked().prefix_cache(false)), &questions);
    assert_eq!(cached(&replies[0]), 0);
    for turn in 1..questions.len() {
        let before = &replies[turn - 1].usage;
        // The last token of an answer was never computed, and its end of turn need not be.
        assert!(cached(&replies[turn]) + 3 >= before.total_tokens, "turn {turn}: {:?}", replies[turn].usage);
        assert!(cached(&replies[turn]) < replies[turn].usage.prompt_tokens);
    }
    for (reply, without) in replies.iter().zip(&without) {
        assert_eq!(text(reply), text(without));
        assert_eq!((cached(without), reply.usage.prompt_tokens), (0, without.usage.prompt_tokens));
    }
}

/// Questions with beginnings in common, of many lengths.
fn questions(number: usize) -> Vec<CreateChatCompletionRequest> {
    (0..number)
        .map(|index| {
            let (family, length) = (index % 5, 10 + index * 37 % 400);
            let text = format!("{} What comes after {index}?", prompt(family, length));
            greedy(&text, 12 + u32::try_from(index % 3).unwrap())
        })
        .collect()
}

/// Asks from several threads; gives the answers in order.
fn ask_together(engine: &Engine, requests: &[CreateChatCompletionRequest], callers: usize) -> Vec<String> {
    thread::scope(|scope| {
        let callers: Vec<_> = (0..callers)
            .map(|caller| {
                let own = requests.iter().skip(caller).step_by(callers);
                scope.spawn(move || own.map(|request| text(&ask(engine, request)).to_owned()).collect::<Vec<_>>())
            })
            .collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        (0..requests.len()).map(|index| answers[index % answers.len()][index / answers.len()].clone()).collect()
    })
}

#[test]
fn answers_are_those_of_an_engine_without_it() {
    // Alone, one after another, without a cache; and together, with one that is too small for all.
    let requests = questions(count(20, 200));
    let expected = ask_together(&engine(repacked().prefix_cache(false)), &requests, 1);
    let shared = engine(repacked().context_length(4096));
    for callers in [1, 16] {
        let answers = ask_together(&shared, &requests, callers);
        for (index, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
            assert_eq!(answer, expected, "{callers} callers, question {index}");
        }
    }
    assert!(metrics(&shared).cached_prompt_tokens > 2000);
}

#[test]
fn other_kernels_share_whole_slices() {
    for file in ["tiny-llama", "tiny-spm", "tiny-gemma3"] {
        let options = || ModelOptions::new(model(&format!("tiny/{file}.gguf"))).threads(1).context_length(4096);
        let requests = questions(count(30, 200));
        let expected = ask_together(&engine(options().prefix_cache(false)), &requests, 1);
        let shared = engine(options());
        assert_eq!(ask_together(&shared, &requests, 1), expected, "{file}");
        assert_eq!(ask_together(&shared, &requests, 8), expected, "{file}");
        // Among many, cells that a window has left are taken for others at times.
        let empty = engine(options());
        let reply = ask(&empty, &greedy(&prompt(9, 350), 1));
        let again = ask(&empty, &greedy(&prompt(9, 350), 1));
        assert_eq!((cached(&reply), cached(&again) % 256), (0, 0), "{file}");
        assert!(cached(&again) >= 256, "{file}");
    }
}

#[test]
fn gemma_shares_what_its_window_still_has() {
    let texts = count(0, 60);
    if texts == 0 {
        // `make accept` alone fetches the model.
        return;
    }
    let options = || ModelOptions::new(model("gemma3-270m-q4_k_m.gguf")).repack(Repack::On).context_length(2048);
    let complete = |engine: &Engine, text: &str| {
        let request = CreateCompletionRequest::new("m", text).temperature(0.0).max_tokens(24);
        let reply = engine.completions().create(&request).unwrap();
        let usage = reply.usage.flatten().unwrap();
        (reply.choices[0].text.clone(), usage.prompt_tokens_details.cached_tokens)
    };
    let (shared, alone) = (engine(options()), engine(options().prefix_cache(false)));
    let mut reused = 0;
    for index in 0..texts {
        let text = format!("{} and then {index}", prompt(index % 3, 50 + index * 97 % 900));
        let (answer, tokens) = complete(&shared, &text);
        assert_eq!(answer, complete(&alone, &text).0, "text {index}");
        reused += tokens;
    }
    assert!(reused > 4000, "{reused}");
}

#[test]
fn a_recurrent_state_is_not_shared() {
    let engine = engine(ModelOptions::new(model("tiny/tiny-mamba.gguf")).threads(1));
    let request = greedy(&prompt(1, 400), 5);
    let (first, second) = (ask(&engine, &request), ask(&engine, &request));
    assert_eq!((text(&first), cached(&second)), (text(&second), 0));
    assert_eq!(metrics(&engine).kv_cells_cached, 0);
}

#[test]
fn callers_at_once_share_what_they_begin_with() {
    let engine = engine(repacked());
    let instructions = prompt(4, 600);
    thread::scope(|scope| {
        for caller in 0..6 {
            let (engine, instructions) = (&engine, &instructions);
            scope.spawn(move || ask(engine, &greedy(&format!("{instructions} Caller {caller}."), 4)));
        }
    });
    let metrics = metrics(&engine);
    assert!(metrics.cached_prompt_tokens >= 5 * 590, "{metrics:?}");
    assert!(metrics.kv_cells_cached < 1200, "they are kept once: {metrics:?}");
}

#[test]
fn kept_cells_are_free_for_those_who_need_them() {
    let engine = engine(tiny().context_length(1024));
    for index in 0..8 {
        ask(&engine, &greedy(&prompt(index, 60), 20));
    }
    let before = metrics(&engine);
    assert!((256..=1024).contains(&before.kv_cells_cached), "{before:?}");
    assert_eq!(before.evictions, 0);
    // One that needs all of them; and choices of one prompt.
    let whole = ask(&engine, &greedy(&prompt(20, 80), 400));
    assert_eq!(whole.usage.completion_tokens, 400);
    let mut several = greedy(&prompt(21, 60), 30);
    several.n = Some(4);
    assert_eq!(ask(&engine, &several).usage.completion_tokens, 120);
    let after = metrics(&engine);
    assert_eq!((after.evictions, after.kv_cells_used), (0, 0), "{after:?}");
}

#[test]
fn choices_share_with_the_cache_too() {
    let engine = engine(repacked().parallel(2));
    let mut request = greedy(&format!("{} Hello", prompt(2, 100)), 6);
    request.n = Some(5);
    let (first, second) = (ask(&engine, &request), ask(&engine, &request));
    assert_eq!(cached(&first), 0);
    assert_eq!(cached(&second), second.usage.prompt_tokens - 1, "all but the last token, which has the logits");
    assert!(
        first
            .choices
            .iter()
            .chain(&second.choices)
            .all(|choice| choice.message.content.as_deref() == Some(text(&first)))
    );
}

#[test]
fn a_prompt_that_is_scored_is_computed() {
    let engine = engine(repacked());
    let mut request = CreateCompletionRequest::new("m", prompt(3, 60)).temperature(0.0).max_tokens(3);
    request.echo = Some(true);
    request.logprobs = Some(1);
    let (first, second) =
        (engine.completions().create(&request).unwrap(), engine.completions().create(&request).unwrap());
    assert_eq!(first.choices[0].logprobs, second.choices[0].logprobs);
    assert_eq!(second.usage.flatten().unwrap().prompt_tokens_details.cached_tokens, 0);
}

#[test]
fn it_can_be_turned_off() {
    let engine = engine(repacked().prefix_cache(false));
    let request = greedy(&prompt(1, 80), 2);
    assert_eq!([ask(&engine, &request), ask(&engine, &request)].map(|reply| cached(&reply)), [0, 0]);
    let metrics = metrics(&engine);
    assert_eq!((metrics.kv_cells_cached, metrics.cached_prompt_tokens), (0, 0));
}
