//! Images and sound in conversations, with tiny models and projectors of random weights: what they say is noise,
//! but which pixels and samples it comes from, and where they stand, shows.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::media::{
    ask, gemma3, image, picture, png, prompt_tokens, qwen2vl, refused, show, sound, text, told, tone, wav,
};
use common::{engine, greedy, prompt, tiny};
use image::RgbImage;
use zerohop::types::responses::{CreateResponse, InputItem, InputMessage, ItemPart};
use zerohop::types::{ChatCompletion, ChatCompletionMessage, ContentPart, CreateChatCompletionRequest};
use zerohop::{Engine, ErrorKind};

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
