//! Images as typed calls, with a checkpoint of random weights.

mod common;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::{engine, model, wait_until_idle};
use zerohop::types::{
    CreateImageEditRequest, CreateImageRequest, CreateImageVariationRequest, ImageFile, ImageSize, ImageStreamEvent,
};
use zerohop::{Engine, ErrorKind, ModelOptions};

fn checkpoint() -> ModelOptions {
    ModelOptions::new(model("tiny/diffusion/sd1.safetensors"))
}

fn request(steps: u32) -> CreateImageRequest {
    let mut request = CreateImageRequest::new("m", "a b c");
    request.options.size = Some(ImageSize::Pixels(64, 64));
    request.options.seed = Some(7);
    request.options.steps = Some(steps);
    request.options.cfg_scale = Some(1.0);
    request
}

#[test]
fn images_are_painted_edited_and_varied() {
    // IM2, IM3, IM5
    let engine = engine(checkpoint());
    let mut steps = Vec::new();
    let reply = engine
        .images()
        .create_with_progress(&request(2), |step, of| {
            steps.push((step, of));
            true
        })
        .unwrap();
    let file = BASE64_STANDARD.decode(&reply.data[0].b64_json).unwrap();
    let image = image::load_from_memory(&file).unwrap();
    assert_eq!((image.width(), image.height(), reply.usage.output_tokens), (64, 64, 16));
    assert!(steps.is_sorted() && steps.iter().all(|(step, of)| step <= of && [0, 2].contains(of)), "{steps:?}");

    let file = ImageFile::new("a.png", file);
    let mut edit = CreateImageEditRequest::new("m", "a b", file.clone());
    edit.options.steps = Some(1);
    assert_eq!(engine.images().edit(&edit).unwrap().usage.input_tokens_details.image_tokens, 16);
    let mut variation = CreateImageVariationRequest::new("m", file);
    variation.options.steps = Some(1);
    assert_eq!(engine.images().create_variation(&variation).unwrap().size, ImageSize::Pixels(64, 64));
}

#[test]
fn a_stream_ends_with_what_a_call_gives() {
    // IM4
    let engine = engine(checkpoint());
    let mut streamed = request(2);
    streamed.options.partial_images = Some(1);
    let events: Vec<ImageStreamEvent> =
        engine.images().create_stream(&streamed).unwrap().collect::<zerohop::Result<_>>().unwrap();
    let kinds: Vec<&str> = events.iter().map(ImageStreamEvent::kind).collect();
    assert_eq!(kinds, ["image_generation.partial_image", "image_generation.completed"]);
    assert_eq!(events[1].b64_json(), engine.images().create(&request(2)).unwrap().data[0].b64_json);
}

#[test]
fn requests_are_cancelled_between_steps() {
    let engine = engine(checkpoint());
    let error = engine.images().create_with_progress(&request(150), |step, _| step < 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    wait_until_idle(&engine);
    let stream = engine.images().create_stream(&request(150)).unwrap();
    stream.cancel_handle().cancel();
    assert_eq!(stream.last().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    let late = Engine::builder().model("m", checkpoint()).timeout(Duration::from_millis(300)).build().unwrap();
    assert_eq!(late.images().create(&request(150)).unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn a_checkpoint_counts_in_the_budget() {
    let small = Engine::builder().model("m", checkpoint()).memory_budget(256 << 20).build();
    assert_eq!(small.unwrap_err().code(), Some("memory_budget_exceeded"));
}
