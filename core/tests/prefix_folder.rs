//! The prefix cache on disk: what one engine has computed, the next one has.

mod common;

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use common::{engine, greedy, model, prompt, smollm2, tiny};
use zerohop::types::{ChatCompletion, ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop::{Engine, ErrorKind, ModelOptions, Repack};

/// Long instructions, and one of several questions.
fn request(question: usize) -> CreateChatCompletionRequest {
    let messages = [
        ChatCompletionMessage::system(prompt(3, 300)),
        ChatCompletionMessage::user(format!("{} {question}?", prompt(question, 12))),
    ];
    CreateChatCompletionRequest::new("m", messages).temperature(0.0).max_completion_tokens(16)
}

fn ask(engine: &Engine, request: &CreateChatCompletionRequest) -> ChatCompletion {
    engine.chat().create(request).unwrap()
}

fn cached(reply: &ChatCompletion) -> u32 {
    reply.usage.prompt_tokens_details.cached_tokens
}

fn text(reply: &ChatCompletion) -> &str {
    reply.choices[0].message.content.as_deref().unwrap()
}

/// Engines that differ in the folder alone.
fn options(folder: &Path) -> ModelOptions {
    smollm2().repack(Repack::On).prefix_cache_folder(folder)
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_was_computed_is_there_after_a_restart() {
    // CR13
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new").join("folder");
    let first = engine(options(&folder));
    let replies: Vec<_> = (0..4).map(|question| ask(&first, &request(question))).collect();
    assert_eq!(cached(&replies[0]), 0);
    first.close();
    assert_eq!(files(&folder).len(), 1);
    let size = fs::metadata(&files(&folder)[0]).unwrap().len();

    let second = engine(options(&folder));
    let without = engine(smollm2().repack(Repack::On).prefix_cache(false));
    for (question, before) in replies.iter().enumerate() {
        let reply = ask(&second, &request(question));
        assert_eq!(text(&reply), text(before));
        assert_eq!(cached(&reply), reply.usage.prompt_tokens - 1, "all but the last");
    }
    for question in 4..7 {
        let reply = ask(&second, &request(question));
        assert!(cached(&reply) > 250, "{:?}", reply.usage);
        assert_eq!(text(&reply), text(&ask(&without, &request(question))));
    }
    second.close();
    // The instructions are in it once.
    assert!(fs::metadata(&files(&folder)[0]).unwrap().len() < 2 * size);
}

#[test]
fn unloading_saves_and_loading_restores() {
    let folder = tempfile::tempdir().unwrap();
    let both = Engine::builder()
        .model("m", options(folder.path()))
        .model("other", ModelOptions::new(model("tiny/tiny-llama.gguf")).prefix_cache_folder(folder.path()))
        .build()
        .unwrap();
    ask(&both, &request(0));
    both.unload("m").unwrap();
    both.load("m", options(folder.path())).unwrap();
    assert!(cached(&ask(&both, &request(0))) > 250);
    both.close();
    assert_eq!(files(folder.path()).len(), 1, "the other has computed nothing");
}

#[test]
fn a_damaged_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = engine(options(folder.path()));
    let before = ask(&first, &request(0));
    first.close();
    let file = files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() / 2], &[whole.clone(), vec![0]].concat(), &[]] {
        fs::write(&file, damaged).unwrap();
        let engine = engine(options(folder.path()));
        let reply = ask(&engine, &request(0));
        assert_eq!((cached(&reply), text(&reply)), (0, text(&before)));
        engine.close();
        assert_eq!(fs::read(&file).unwrap().len(), whole.len(), "it was written anew");
    }
}

/// A number in a file of saved prefixes.
fn number(content: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(content[at..at + 8].try_into().unwrap())).unwrap()
}

#[test]
fn a_file_that_contradicts_itself_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = engine(options(folder.path()));
    let before: Vec<_> = (0..2).map(|question| ask(&first, &request(question))).collect();
    first.close();
    let file = files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    // Behind what the file is, its key and the number of sequences: base, shared, tokens, state.
    let first_tokens = 8 + 32 + 8 + 16;
    let first_state = first_tokens + 8 + 4 * number(&whole, first_tokens);
    let second = first_state + 8 + number(&whole, first_state);
    assert!(number(&whole, second + 8) > 250, "the instructions are shared");
    for (at, wrong) in [(second + 8, 1_000_000_u64), (second + 8, 16), (second, 7), (first_tokens - 8, 20)] {
        let mut content = whole[..whole.len() - 32].to_vec();
        content[at..at + 8].copy_from_slice(&wrong.to_le_bytes());
        let digest = Sha256::digest(&content);
        fs::write(&file, [content.as_slice(), &digest].concat()).unwrap();
        let engine = engine(options(folder.path()));
        for (question, before) in before.iter().enumerate() {
            assert_eq!(text(&ask(&engine, &request(question))), text(before));
        }
        engine.close();
    }
}

#[test]
fn a_pipe_in_the_files_place_does_not_hold_up() {
    let folder = tempfile::tempdir().unwrap();
    let first = engine(options(folder.path()));
    ask(&first, &request(0));
    first.close();
    let file = files(folder.path()).remove(0);
    fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert_eq!(cached(&ask(&engine(options(folder.path())), &request(0))), 0);
}

#[test]
fn another_model_or_type_of_cells_is_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.gguf");
    fs::copy(model("tiny/tiny-llama.gguf"), &copy).unwrap();
    let saved = folder.path().join("saved");
    let run = |options: ModelOptions| {
        let engine = engine(options.prefix_cache_folder(&saved));
        let cached = cached(&ask(&engine, &greedy(&prompt(0, 100), 4)));
        engine.close();
        cached
    };
    let tiny = || ModelOptions::new(&copy);
    assert_eq!(run(tiny()), 0);
    assert!(run(tiny()) > 0);
    assert_eq!(run(tiny().kv_type(zerohop::KvType::F32)), 0);
    // A weight is another.
    let mut content = fs::read(&copy).unwrap();
    let last = content.len() - 8;
    content[last] ^= 1;
    fs::write(&copy, content).unwrap();
    assert_eq!(run(tiny()), 0);
    assert_eq!(files(&saved).len(), 3);
}

#[test]
fn a_smaller_context_takes_what_it_has_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let saved = || tiny().prefix_cache_folder(folder.path());
    let first = engine(saved());
    (0..8).for_each(|index| drop(ask(&first, &greedy(&prompt(index, 60), 4))));
    first.close();
    let second = engine(saved().context_length(1024));
    let newest = ask(&second, &greedy(&prompt(7, 60), 4));
    assert_eq!(cached(&newest), 256, "a slice of the newest: {:?}", newest.usage);
    let oldest = ask(&second, &greedy(&prompt(0, 60), 4));
    assert_eq!(cached(&oldest), 0, "{:?}", oldest.usage);
}

#[test]
fn what_has_nothing_to_save_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |options: ModelOptions| {
        let error = Engine::builder().model("m", options.prefix_cache_folder(folder.path())).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains("prefix_cache"), "{error}");
    };
    refused(ModelOptions::new(model("tiny/tiny-gemma3.gguf")));
    refused(ModelOptions::new(model("tiny/tiny-mamba.gguf")));
    refused(ModelOptions::new(model("tiny/tiny-embedding-mean.gguf")));
    refused(tiny().prefix_cache(false));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Engine::builder().model("m", tiny().prefix_cache_folder(file)).build().unwrap_err();
    assert!(error.message().contains("cannot be made"), "{error}");
}
