//! Images and sound in conversations, with tiny models and projectors of random weights: what they say is noise,
//! but which pixels and samples it comes from, and where they stand, shows.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::media::{gemma3, picture, png, qwen2vl, show, told, tone, wav};
use common::{engine, greedy, model, prompt, tiny};
use image::RgbImage;
use zerohop::types::responses::{CreateResponse, InputItem, InputMessage, ItemPart};
use zerohop::types::{
    ChatCompletion, ChatCompletionMessage, ContentPart, CreateChatCompletionRequest, InputAudioFormat,
};
use zerohop::{Engine, Error, ErrorKind, ModelOptions};

fn text(text: &str) -> ContentPart {
    ContentPart::text(text)
}

fn image(seed: u8) -> ContentPart {
    ContentPart::image_bytes(picture(seed, 112, 84))
}

fn sound(bytes: &[u8]) -> ContentPart {
    ContentPart::audio_bytes(bytes, InputAudioFormat::Wav)
}

#[track_caller]
fn ask(engine: &Engine, parts: Vec<ContentPart>) -> ChatCompletion {
    engine.chat().create(&show(parts)).unwrap()
}

/// What a request that cannot be answered gets.
#[track_caller]
fn refused(engine: &Engine, part: ContentPart) -> Error {
    let error = engine.chat().create(&show(vec![text("Look:"), part])).unwrap_err();
    assert_eq!(error.status(), Some(400), "{error}");
    error
}

fn prompt_tokens(reply: &ChatCompletion) -> u32 {
    reply.usage.prompt_tokens
}

fn cached(reply: &ChatCompletion) -> u32 {
    reply.usage.prompt_tokens_details.cached_tokens
}

#[test]
fn an_image_is_counted_and_seen() {
    // CQ5, CR12
    for (options, tokens) in [(gemma3(), 16..64), (qwen2vl(), 14..15)] {
        let engine = engine(options);
        let none = ask(&engine, vec![text("What is this?")]);
        let one = ask(&engine, vec![text("What is this?"), image(1)]);
        let other = ask(&engine, vec![text("What is this?"), image(2)]);
        assert!(tokens.contains(&(prompt_tokens(&one) - prompt_tokens(&none))), "{:?}", one.usage);
        assert_eq!(prompt_tokens(&one), prompt_tokens(&other));
        assert_ne!(told(&one), told(&other));
        assert_eq!(told(&one), told(&ask(&engine, vec![text("What is this?"), image(1)])));
    }
}

#[test]
fn an_images_size_says_how_many_tokens_it_has() {
    let engine = engine(qwen2vl());
    let tokens =
        |width, height| prompt_tokens(&ask(&engine, vec![ContentPart::image_bytes(picture(1, width, height))]));
    // Each token is a square of 28 pixels; less than eight are made eight.
    assert_eq!(tokens(280, 140) - tokens(112, 84), 50 - 12);
    assert!(tokens(2, 3) > tokens(112, 84) - 12);
}

#[test]
fn low_detail_has_fewer_tokens() {
    // CQ5
    let engine = engine(qwen2vl());
    let mut part = ContentPart::image_bytes(picture(1, 1024, 1024));
    let full = prompt_tokens(&ask(&engine, vec![part.clone()]));
    if let ContentPart::ImageUrl { image_url } = &mut part {
        image_url.detail = Some(zerohop::types::ImageDetail::Low);
    }
    assert!(prompt_tokens(&ask(&engine, vec![part])) * 3 < full);
}

#[test]
fn several_images_stay_in_order() {
    // CQ3, CQ5
    for options in [gemma3(), qwen2vl()] {
        let engine = engine(options);
        let ask = |first: u8, second: u8| {
            ask(&engine, vec![text("First:"), image(first), text("Then:"), image(second), text("Which is it?")])
        };
        let (there, back) = (ask(1, 2), ask(2, 1));
        assert_eq!(prompt_tokens(&there), prompt_tokens(&back));
        assert_ne!(told(&there), told(&back));
        assert_ne!(told(&there), told(&ask(1, 1)));
        assert_eq!(told(&there), told(&ask(1, 2)));
    }
}

#[test]
fn answers_are_the_same_alone_and_in_a_crowd() {
    for options in [gemma3(), qwen2vl()] {
        let engine = engine(options.context_length(2048));
        let seen = |seed: u8| told(&ask(&engine, vec![image(seed), text(&prompt(usize::from(seed), 40))]));
        let read = |index: usize| {
            told(&engine.chat().create(&greedy(&prompt(index, 60), 8).logprobs(true).top_logprobs(3)).unwrap())
        };
        let images: Vec<_> = (1..5).map(seen).collect();
        let texts: Vec<_> = (1..5).map(read).collect();
        thread::scope(|scope| {
            let again: Vec<_> = (1..5).map(|seed| scope.spawn(move || seen(seed))).collect();
            let reading: Vec<_> = (1..5).map(|index| scope.spawn(move || read(index))).collect();
            for (again, alone) in again.into_iter().zip(&images).chain(reading.into_iter().zip(&texts)) {
                let again = again.join().unwrap();
                let words = |told: &[(String, Vec<f32>)]| told.iter().map(|(word, _)| word.clone()).collect::<Vec<_>>();
                assert_eq!(words(&again), words(alone));
            }
        });
    }
}

#[test]
fn a_conversation_about_an_image_computes_its_new_turn_alone() {
    // CR13
    let ask = |engine: &Engine, messages: &[ChatCompletionMessage]| {
        let request = CreateChatCompletionRequest::new("m", messages.to_vec()).temperature(0.0);
        engine.chat().create(&request.max_completion_tokens(12).logprobs(true).top_logprobs(3)).unwrap()
    };
    let [with, without] = [true, false].map(|keep| engine(qwen2vl().prefix_cache(keep)));
    let mut messages = vec![ChatCompletionMessage::user(vec![text("Before it "), image(1), text(" and after it")])];
    let mut before = 0;
    for turn in 0..3 {
        let replies = [&with, &without].map(|engine| ask(engine, &messages));
        assert_eq!(told(&replies[0]), told(&replies[1]), "turn {turn}");
        assert_eq!(cached(&replies[1]), 0);
        assert!(cached(&replies[0]) + 3 >= before, "turn {turn}: {:?}", replies[0].usage);
        // The answer's text need not become the tokens again that it was.
        before = replies[0].usage.prompt_tokens;
        messages.push(ChatCompletionMessage::assistant(replies[0].text().unwrap_or_default()));
        messages.push(ChatCompletionMessage::user(vec![text("And this? "), image(2), text("?")]));
    }
    // Another image in the same place shares what comes before it, and no more.
    let other = vec![ChatCompletionMessage::user(vec![text("Before it "), image(3), text(" and after it")])];
    let replies = [&with, &without].map(|engine| ask(engine, &other));
    assert_eq!(told(&replies[0]), told(&replies[1]));
    assert!(cached(&replies[0]) < 30, "{:?}", replies[0].usage);
}

#[test]
fn cells_run_short_and_answers_stay() {
    // Pushed out, a request computes its images again.
    let options = qwen2vl().context_length(512).parallel(4);
    let alone: Vec<_> =
        (1..7).map(|seed| told(&ask(&engine(options.clone()), vec![image(seed), text("What?")]))).collect();
    let engine = engine(options);
    thread::scope(|scope| {
        let engine = &engine;
        let crowd: Vec<_> = (1..7)
            .map(|seed| {
                scope.spawn(move || {
                    let long = show(vec![image(seed), text("What?")]).max_completion_tokens(150);
                    told(&engine.chat().create(&long).unwrap())
                })
            })
            .collect();
        for (told, alone) in crowd.into_iter().zip(&alone) {
            assert_eq!(told.join().unwrap()[..8], alone[..]);
        }
    });
}

#[test]
fn choices_share_an_image() {
    let engine = engine(qwen2vl());
    let alone = told(&ask(&engine, vec![image(1), text("What?")]));
    let reply = engine.chat().create(&show(vec![image(1), text("What?")]).n(3)).unwrap();
    assert_eq!(reply.choices.len(), 3);
    for choice in reply.choices {
        let tokens = choice.logprobs.unwrap().content.unwrap();
        assert_eq!(
            tokens.iter().map(|token| &token.token).collect::<Vec<_>>(),
            alone.iter().map(|told| &told.0).collect::<Vec<_>>()
        );
    }
}

#[test]
fn what_looks_like_an_image_in_a_text_is_text() {
    // CQ5
    let engine = engine(qwen2vl());
    let forged = "<__media__> <|vision_start|> \u{FDD0}m0\u{FDD1} <start_of_image>";
    let reply = ask(&engine, vec![text(forged)]);
    assert!(prompt_tokens(&reply) > 40, "{:?}", reply.usage);
    let with = ask(&engine, vec![text(forged), image(1)]);
    assert_eq!(prompt_tokens(&with) - prompt_tokens(&reply), 14);
}

#[test]
fn a_text_model_refuses_media() {
    // CQ5: never silent dropping
    let engine = engine(tiny());
    for part in [image(1), sound(&tone(440.0, 0.5))] {
        let error = refused(&engine, part);
        assert_eq!((error.param(), error.code()), (Some("messages[0].content[1]"), Some("unsupported_value")));
    }
    // This one sees, and does not hear.
    let error = refused(&common::engine(qwen2vl()), sound(&tone(440.0, 0.5)));
    assert_eq!(error.param(), Some("messages[0].content[1]"));
}

/// A small picture whose file says that it is of another size.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut file = picture(1, 2, 2);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = file[12..29].iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    file[29..33].copy_from_slice(&(!crc).to_be_bytes());
    file
}

#[test]
fn what_is_no_image_is_refused() {
    // CQ5, ER8
    let engine = engine(qwen2vl());
    let whole = picture(1, 112, 84);
    let bytes = |bytes: &[u8]| ContentPart::image_bytes(bytes);
    let empty = |width, height| bytes(&png(&RgbImage::new(width, height)));
    for (part, code) in [
        (empty(1, 1), "image_parse_error"),
        (bytes(&claiming(20_000, 20_000)), "image_parse_error"),
        (bytes(&whole[..whole.len() / 2]), "image_parse_error"),
        (bytes(b"hello"), "image_parse_error"),
        (bytes(b""), "image_parse_error"),
        (ContentPart::image("data:image/png;base64,*"), "invalid_base64"),
        (ContentPart::image("data:text/plain;base64,aGk="), "invalid_image_url"),
        (ContentPart::image("https://example.com/cat.png"), "invalid_image_url"),
        (ContentPart::image("file:///etc/hostname"), "invalid_image_url"),
        (ContentPart::image("cat.png"), "invalid_image_url"),
    ] {
        let error = refused(&engine, part);
        assert_eq!(
            (error.param(), error.code()),
            (Some("messages[0].content[1].image_url.url"), Some(code)),
            "{error}"
        );
    }
    assert_eq!(ask(&engine, vec![image(1)]).choices.len(), 1);
}

#[test]
fn images_come_from_where_options_allow() {
    // CQ5
    let folder = tempfile::tempdir().unwrap();
    let bytes = picture(1, 112, 84);
    std::fs::write(folder.path().join("cat.png"), &bytes).unwrap();
    let fetches = Arc::new(AtomicUsize::new(0));
    let (counted, cat) = (fetches.clone(), bytes.clone());
    let engine = engine(qwen2vl().media_folder(folder.path()).media_fetcher(move |url| {
        counted.fetch_add(1, Ordering::Relaxed);
        if url.ends_with("cat.png") { Ok(cat.clone()) } else { Err("there is no such cat".into()) }
    }));
    let inline = told(&ask(&engine, vec![ContentPart::image_bytes(&bytes)]));
    let file = format!("file://{}/cat.png", folder.path().display());
    assert_eq!(told(&ask(&engine, vec![ContentPart::image(file)])), inline);
    assert_eq!(told(&ask(&engine, vec![ContentPart::image("https://example.com/cat.png")])), inline);
    let error = refused(&engine, ContentPart::image("http://example.com/dog.png"));
    assert!(error.message().contains("there is no such cat"), "{error}");
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
    assert!(refused(&engine, ContentPart::image("file:///etc/hostname")).message().contains("no file of the folder"));
    let missing = folder.path().join("missing");
    let error = Engine::builder().model("m", qwen2vl().media_folder(&missing)).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}

#[test]
fn too_many_images_are_too_long_a_prompt() {
    // CQ20
    let engine = engine(qwen2vl().context_length(256));
    let parts = (1..30).map(image).collect();
    let error = engine.chat().create(&show(parts)).unwrap_err();
    assert_eq!((error.param(), error.code()), (Some("messages"), Some("context_length_exceeded")));
}

#[test]
fn a_request_with_an_image_is_cancelled_and_others_go_on() {
    let engine = engine(gemma3().context_length(2000));
    let mut request = show(vec![image(1), text("Tell me of it")]);
    request.max_completion_tokens = None;
    for _ in 0..4 {
        let mut stream = engine.chat().create_stream(&request).unwrap();
        stream.cancel_handle().cancel();
        assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Cancelled);
        let mut stream = engine.chat().create_stream(&request).unwrap();
        assert!(stream.next().unwrap().is_ok());
        drop(stream);
    }
    assert_eq!(ask(&engine, vec![image(1), text("What?")]).usage.completion_tokens, 8);
    common::wait_until_idle(&engine);
}

#[test]
fn closing_ends_requests_with_images() {
    let engine = engine(gemma3());
    let mut request = show((1..30).map(image).collect());
    request.max_completion_tokens = None;
    let stream = engine.chat().create_stream(&request).unwrap();
    engine.close();
    assert_eq!(stream.last().unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn sound_is_counted_and_heard() {
    // CQ6
    let engine = engine(gemma3());
    let none = ask(&engine, vec![text("What do you hear?")]);
    let heard = |part: ContentPart| ask(&engine, vec![text("What do you hear?"), part]);
    let low = heard(sound(&tone(220.0, 1.0)));
    // 1500 frames of 30 seconds, four in each row.
    assert!((375..390).contains(&(prompt_tokens(&low) - prompt_tokens(&none))), "{:?}", low.usage);
    assert_eq!([&none, &low].map(|reply| reply.usage.prompt_tokens_details.audio_tokens), [0, 375]);
    assert_ne!(told(&low), told(&heard(sound(&tone(880.0, 1.0)))));
    assert_eq!(told(&low), told(&heard(sound(&tone(220.0, 1.0)))));
    let both = ask(&engine, vec![image(1), sound(&tone(220.0, 1.0)), text("Do they belong together?")]);
    assert_ne!(
        told(&both),
        told(&ask(&engine, vec![sound(&tone(220.0, 1.0)), image(1), text("Do they belong together?")]))
    );
}

#[test]
fn what_is_no_sound_is_refused() {
    // CQ6, ER8
    let engine = engine(gemma3());
    let silence = |count: usize| vec![0.0; count];
    for part in [
        sound(b""),
        sound(b"hello"),
        sound(&tone(220.0, 1.0)[..40]),
        sound(&wav(&[], 16_000, 1)),
        sound(&wav(&silence(100), 16_000, 1)),
        sound(&wav(&vec![f32::NAN; 16_000], 16_000, 1)),
        sound(&wav(&silence(16_000), 1_000_000, 1)),
    ] {
        let error = refused(&engine, part);
        let expected = (Some("messages[0].content[1].input_audio.data"), Some("invalid_audio"));
        assert_eq!((error.param(), error.code()), expected, "{error}");
    }
    let mut garbage = sound(b"");
    if let ContentPart::InputAudio { input_audio } = &mut garbage {
        input_audio.data = "*".to_owned();
    }
    assert_eq!(refused(&engine, garbage).code(), Some("invalid_base64"));
    // These are unusual, and heard.
    ask(&engine, vec![sound(&wav(&silence(192_000), 192_000, 1))]);
    ask(&engine, vec![sound(&wav(&silence(8 * 16_000), 16_000, 8))]);
}

#[test]
fn a_projector_is_found_beside_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, to: &str| std::fs::copy(model(name), folder.path().join(to)).unwrap();
    copy("tiny/qwen2vl/tiny-qwen2vl.gguf", "model.gguf");
    let load = |path: &std::path::Path| engine(ModelOptions::new(path).threads(1));
    assert_eq!(refused(&load(folder.path()), image(1)).code(), Some("unsupported_value"));
    copy("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf", "mmproj-model-f32.gguf");
    assert_eq!(ask(&load(folder.path()), vec![image(1)]).choices.len(), 1);
    assert_eq!(ask(&load(&folder.path().join("model.gguf")), vec![image(1)]).choices.len(), 1);
    // Beside two models, nobody knows whose it is.
    copy("tiny/tiny-llama.gguf", "other.gguf");
    assert!(
        engine(ModelOptions::new(folder.path().join("other.gguf")).threads(1)).chat().create(&greedy("a", 1)).is_ok()
    );
    assert_eq!(refused(&load(&folder.path().join("model.gguf")), image(1)).code(), Some("unsupported_value"));
}

#[test]
fn what_is_no_projector_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let load = |projector: &std::path::Path| {
        let options = ModelOptions::new(model("tiny/qwen2vl/tiny-qwen2vl.gguf")).projector(projector).threads(1);
        Engine::builder().model("m", options).build().map(drop)
    };
    let whole = std::fs::read(model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf")).unwrap();
    let changed = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    for (path, reason) in [
        (model("tiny/tiny-llama.gguf"), "not \"clip\""),
        (write("empty", b""), ""),
        (write("cut", &whole[..whole.len() / 2]), ""),
        (write("kind", &changed(b"qwen2vl_merger", b"deepseek4v\0\0\0\0")), "projector"),
        (write("tensor", &changed(b"v.patch_embd.weight.1", b"v.patch_embd.weight.2")), "patch_embd"),
        (write("flag", &changed(b"clip.has_vision_encoder", b"clip.has_vision_encodex")), "neither"),
    ] {
        let error = load(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModel, "{error}");
        assert!(error.message().contains(reason), "{error}");
    }
    assert_eq!(load(&folder.path().join("missing")).unwrap_err().kind(), ErrorKind::ModelFile);
    // A projector for another width, and one where a model should be.
    let other = ModelOptions::new(model("smollm2-135m-instruct-q4_1.gguf"))
        .projector(model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf"));
    let error = Engine::builder().model("m", other).build().unwrap_err();
    assert!(error.message().contains("mismatch between text model"), "{error}");
    let error = Engine::builder().model("m", model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf")).build().unwrap_err();
    assert!(error.message().contains("is a projector"), "{error}");
}

#[test]
fn a_response_sees_too() {
    let engine = engine(qwen2vl());
    let url = |bytes: &[u8]| match ContentPart::image_bytes(bytes) {
        ContentPart::ImageUrl { image_url } => Some(image_url.url),
        _ => None,
    };
    let ask = |image_url: Option<String>, file_id: Option<String>| {
        let look = ItemPart::InputImage { detail: None, image_url, file_id };
        let message = InputMessage::user(vec![ItemPart::input_text("Look:"), look]);
        engine
            .responses()
            .create(&CreateResponse::new("m", vec![InputItem::from(message)]).temperature(0.0).max_output_tokens(16))
    };
    let chat = engine.chat().create(&show(vec![text("Look:"), image(1)])).unwrap();
    let reply = ask(url(&picture(1, 112, 84)), None).unwrap();
    assert_eq!(reply.usage.unwrap().input_tokens, prompt_tokens(&chat));
    let error = ask(url(b"no image"), None).unwrap_err();
    assert_eq!(error.param(), Some("input[0].content[1].image_url"));
    assert_eq!(ask(None, Some("file-1".to_owned())).unwrap_err().param(), Some("input[0].content[1].image_url"));
}

const KINDS_THAT_SEE: [&str; 8] = ["mlp", "idefics3", "internvl", "lfm2", "pixtral", "gemma4v", "qwen2.5o", "qwen3vl"];
const KINDS_THAT_HEAR: [&str; 5] = ["ultravox", "voxtral", "qwen2.5o", "qwen3a", "gemma4a"];

fn kind_file(kind: &str) -> std::path::PathBuf {
    model(&format!("tiny/kinds/mmproj-{kind}.gguf"))
}

/// A model with the marks that projectors look for, and a projector.
fn with_projector(projector: &std::path::Path) -> ModelOptions {
    ModelOptions::new(model("tiny/kinds/tiny-kinds.gguf")).projector(projector).threads(1)
}

#[test]
fn all_types_of_projectors_compute() {
    // CQ5, CQ6
    for kind in KINDS_THAT_SEE {
        let engine = engine(with_projector(&kind_file(kind)));
        let seen = |seed: u8| told(&ask(&engine, vec![text("What is this?"), image(seed)]));
        assert_ne!(seen(1), seen(2), "{kind}");
    }
    for kind in KINDS_THAT_HEAR {
        let engine = engine(with_projector(&kind_file(kind)));
        let heard = |hertz: f32| told(&ask(&engine, vec![text("What is this?"), sound(&tone(hertz, 1.0))]));
        assert_ne!(heard(220.0), heard(880.0), "{kind}");
    }
}

#[test]
fn stacked_frames_are_as_many_as_with_a_real_width() {
    // As many as of 1,500 frames of 1,280 numbers.
    for kind in ["ultravox", "voxtral"] {
        let engine = engine(with_projector(&kind_file(kind)));
        let reply = ask(&engine, vec![sound(&tone(220.0, 1.0))]);
        assert_eq!(reply.usage.prompt_tokens_details.audio_tokens, 187, "{kind}");
    }
}

#[test]
fn more_rows_of_a_wide_image_see_each_other_than_of_a_square() {
    let engine = engine(with_projector(&kind_file("gemma4v")));
    let tokens = |part: ContentPart| prompt_tokens(&ask(&engine, vec![part]));
    // 35 times 32 patches; of a square 33 times 33 is the most.
    let wide = tokens(ContentPart::image_bytes(picture(1, 140, 128)));
    let square = tokens(ContentPart::image_bytes(picture(1, 400, 400)));
    assert_eq!(wide - square, 1120 - 1089);
}

/// What comes of each tensor of a projector's file having another name: an engine or an error.
fn without_each_tensor(kind: &str, folder: &std::path::Path) {
    let whole = std::fs::read(kind_file(kind)).unwrap();
    let names = tensor_names(&whole);
    assert!(names.len() > 20, "{kind}");
    for (at, name) in names {
        let path = folder.join("mmproj.gguf");
        let mut bytes = whole.clone();
        bytes[at + name.len() - 1] = b'_';
        std::fs::write(&path, bytes).unwrap();
        let Ok(engine) = Engine::builder().model("m", with_projector(&path).context_length(1024)).build() else {
            continue;
        };
        let part = if KINDS_THAT_SEE.contains(&kind) { image(1) } else { sound(&tone(220.0, 0.5)) };
        let answer = engine.chat().create(&show(vec![part]));
        assert!(answer.is_ok() || answer.is_err_and(|error| error.status() == Some(500)), "{kind}: {name}");
        assert!(engine.chat().create(&greedy("Still there?", 1)).is_ok(), "{kind}: {name}");
    }
}

/// The tensors' names and where they are, found by how all of them begin.
fn tensor_names(file: &[u8]) -> Vec<(usize, String)> {
    let starts: [&[u8]; 3] = [b"v.", b"a.", b"mm."];
    let is_name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(byte);
    (8..file.len().min(16_000))
        .filter(|at| starts.iter().any(|start| file[*at..].starts_with(start)))
        .filter_map(|at| {
            let len = usize::try_from(u64::from_le_bytes(file[at - 8..at].try_into().unwrap())).ok()?;
            let name = file[at..].get(..len).filter(|name| len < 64 && name.iter().all(is_name))?;
            Some((at, String::from_utf8(name.to_vec()).unwrap()))
        })
        .collect()
}

#[test]
fn a_missing_tensor_is_an_error_at_worst() {
    let folder = tempfile::tempdir().unwrap();
    for kind in KINDS_THAT_SEE.into_iter().chain(KINDS_THAT_HEAR) {
        without_each_tensor(kind, folder.path());
    }
}

#[test]
fn a_vocabulary_without_a_projectors_marks_is_refused() {
    let options = ModelOptions::new(model("tiny/qwen2vl/tiny-qwen2vl.gguf")).projector(kind_file("idefics3"));
    let error = Engine::builder().model("m", options).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidModel);
    assert!(error.message().contains("vocabulary lacks tokens"), "{error}");
}

#[test]
fn a_projector_that_lies_about_and_does_not_fit_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(model("tiny/qwen2vl/tiny-qwen2vl.gguf"), path("model.gguf")).unwrap();
    let load = |options: ModelOptions| Engine::builder().model("m", options.threads(1)).build();
    let found = || ModelOptions::new(folder.path());
    let unfit = std::fs::read(kind_file("idefics3")).unwrap();
    for bytes in [&b"no projector"[..], &unfit[..unfit.len() / 2], &unfit] {
        std::fs::write(path("mmproj.gguf"), bytes).unwrap();
        let engine = load(found()).unwrap();
        assert!(engine.chat().create(&greedy("Hello", 1)).is_ok());
        assert_eq!(refused(&engine, image(1)).code(), Some("unsupported_value"));
        assert!(zerohop::inspect(folder.path()).is_ok());
        assert_eq!(load(found().projector(path("mmproj.gguf"))).unwrap_err().kind(), ErrorKind::InvalidModel);
    }
    // Beside a model that makes vectors, nobody looks for one.
    std::fs::copy(model("tiny/tiny-embedding-mean.gguf"), path("model.gguf")).unwrap();
    assert!(zerohop::inspect(folder.path()).is_ok());
    assert!(zerohop::inspect(found().projector(path("mmproj.gguf"))).is_err());
}

#[test]
fn images_can_be_limited_to_fewer_tokens() {
    let tokens = |options: ModelOptions| prompt_tokens(&ask(&engine(options), vec![image(1)]));
    assert_eq!(tokens(qwen2vl()) - tokens(qwen2vl().image_max_tokens(8)), 12 - 6);
    let idefics3 = || with_projector(&kind_file("idefics3"));
    assert!(tokens(idefics3().image_max_tokens(16)) <= tokens(idefics3()));
    let refused = |options: ModelOptions| {
        let error = Engine::builder().model("m", options).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        error.message().to_owned()
    };
    assert!(refused(qwen2vl().image_max_tokens(7)).contains("have 8 or more"));
    assert!(refused(qwen2vl().image_max_tokens(8193)).contains("at most 8192"));
    assert!(refused(gemma3().image_max_tokens(8)).contains("as many tokens as projectors of the type gemma3"));
    assert!(refused(tiny().image_max_tokens(8)).contains("no projector that sees"));
    assert!(refused(with_projector(&kind_file("voxtral")).image_max_tokens(8)).contains("no projector that sees"));
}

#[test]
fn another_projector_has_another_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mmproj.gguf");
    let mut bytes = std::fs::read(model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf")).unwrap();
    let print = |options: ModelOptions| engine(options).chat().create(&greedy("a", 1)).unwrap().system_fingerprint;
    // The last number of the last bias.
    *bytes.last_mut().unwrap() ^= 0x80;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(print(qwen2vl()), print(qwen2vl()));
    assert_ne!(print(qwen2vl()), print(qwen2vl().projector(&path)));
    assert_ne!(print(qwen2vl()), print(qwen2vl().image_max_tokens(64)));
}

#[test]
fn the_environment_has_no_file_written() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("rows");
    let test = ["--exact", "choices_share_an_image"];
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let output = again.args(test).env("MTMD_DEBUG_EMBEDDINGS", &dump).output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    assert!(!dump.exists());
}

#[test]
fn only_convolutions_are_held_to_their_types() {
    let folder = tempfile::tempdir().unwrap();
    // 16-bit floats of the other kind, in the file's directory.
    let with_bf16 = |kind: &str, tensor: &str, dims: usize| {
        let mut bytes = std::fs::read(kind_file(kind)).unwrap();
        let at = bytes.windows(tensor.len()).position(|window| window == tensor.as_bytes()).unwrap();
        let at = at + tensor.len() + 4 + 8 * dims;
        assert_eq!(bytes[at..at + 4], 1_u32.to_le_bytes());
        bytes[at..at + 4].copy_from_slice(&30_u32.to_le_bytes());
        let path = folder.path().join(kind);
        std::fs::write(&path, bytes).unwrap();
        Engine::builder().model("m", with_projector(&path)).build()
    };
    // A table for two directions.
    let engine = with_bf16("gemma4v", "v.position_embd.weight", 3).unwrap();
    assert_eq!(ask(&engine, vec![image(1)]).choices.len(), 1);
    let error = with_bf16("voxtral", "a.conv1d.1.weight", 3).unwrap_err();
    assert!(error.message().contains("ggml type 30 is not for projectors"), "{error}");
}
