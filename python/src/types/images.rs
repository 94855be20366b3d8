//! The classes of images, field by field; as in `classes`.

use pyo3::prelude::*;

use super::base::BaseModel;
use super::classes::classes;
use super::schema::{OPTIONAL, REQUIRED, Schema, Shape, kind};
use crate::json::Fields;

/// The events of a stream by their `type`.
pub(crate) static IMAGE_STREAM_EVENT: Shape = Shape::OneOf(stream_event);

fn stream_event(event: &Fields) -> Option<&'static Schema> {
    Some(match kind(event)? {
        "image_generation.partial_image" => &IMAGE_GEN_PARTIAL_IMAGE_EVENT,
        "image_generation.completed" => &IMAGE_GEN_COMPLETED_EVENT,
        "image_edit.partial_image" => &IMAGE_EDIT_PARTIAL_IMAGE_EVENT,
        "image_edit.completed" => &IMAGE_EDIT_COMPLETED_EVENT,
        _ => return None,
    })
}

classes! {
    /// An image, in base64.
    Image, IMAGE, "Image", "zerohop.types.image" {
        b64_json: OPTIONAL,
        revised_prompt: OPTIONAL,
        url: OPTIONAL,
    }

    /// The images that were made.
    ImagesResponse, IMAGES_RESPONSE, "ImagesResponse", "zerohop.types.images_response" {
        created: REQUIRED,
        background: OPTIONAL,
        data: OPTIONAL.list(&IMAGE),
        output_format: OPTIONAL,
        quality: OPTIONAL,
        safety_identifier: OPTIONAL,
        size: OPTIONAL,
        svg_usage: OPTIONAL,
        usage: OPTIONAL.object(&IMAGES_USAGE),
    }

    /// What images count as.
    ImagesUsage, IMAGES_USAGE, "Usage", "zerohop.types.images_response" {
        input_tokens: REQUIRED,
        input_tokens_details: REQUIRED.object(&IMAGES_USAGE_DETAILS),
        output_tokens: REQUIRED,
        total_tokens: REQUIRED,
        output_tokens_details: OPTIONAL.object(&IMAGES_USAGE_OUTPUT_DETAILS),
    }

    /// What the tokens of a reply are of.
    ImagesUsageOutputDetails, IMAGES_USAGE_OUTPUT_DETAILS, "UsageOutputTokensDetails", "zerohop.types.images_response" {
        image_tokens: REQUIRED,
        text_tokens: REQUIRED,
    }

    /// What the tokens of a request are of.
    ImagesUsageDetails, IMAGES_USAGE_DETAILS, "UsageInputTokensDetails", "zerohop.types.images_response" {
        image_tokens: REQUIRED,
        text_tokens: REQUIRED,
    }

    /// What a step has come to.
    ImageGenPartialImageEvent, IMAGE_GEN_PARTIAL_IMAGE_EVENT, "ImageGenPartialImageEvent", "zerohop.types.image_gen_partial_image_event" {
        b64_json: REQUIRED,
        background: REQUIRED,
        created_at: REQUIRED,
        output_format: REQUIRED,
        partial_image_index: REQUIRED,
        quality: REQUIRED,
        size: REQUIRED,
        r#type: REQUIRED,
    }

    /// The image.
    ImageGenCompletedEvent, IMAGE_GEN_COMPLETED_EVENT, "ImageGenCompletedEvent", "zerohop.types.image_gen_completed_event" {
        b64_json: REQUIRED,
        background: REQUIRED,
        created_at: REQUIRED,
        output_format: REQUIRED,
        quality: REQUIRED,
        size: REQUIRED,
        r#type: REQUIRED,
        usage: REQUIRED.object(&IMAGE_GEN_COMPLETED_EVENT_USAGE),
        safety_identifier: OPTIONAL,
    }

    /// What the image counts as.
    ImageGenCompletedEventUsage, IMAGE_GEN_COMPLETED_EVENT_USAGE, "Usage", "zerohop.types.image_gen_completed_event" {
        input_tokens: REQUIRED,
        input_tokens_details: REQUIRED.object(&IMAGE_GEN_COMPLETED_EVENT_DETAILS),
        output_tokens: REQUIRED,
        total_tokens: REQUIRED,
    }

    /// What the tokens of a request are of.
    ImageGenCompletedEventUsageDetails, IMAGE_GEN_COMPLETED_EVENT_DETAILS, "UsageInputTokensDetails", "zerohop.types.image_gen_completed_event" {
        image_tokens: REQUIRED,
        text_tokens: REQUIRED,
    }

    /// What a step of an edit has come to.
    ImageEditPartialImageEvent, IMAGE_EDIT_PARTIAL_IMAGE_EVENT, "ImageEditPartialImageEvent", "zerohop.types.image_edit_partial_image_event" {
        b64_json: REQUIRED,
        background: REQUIRED,
        created_at: REQUIRED,
        output_format: REQUIRED,
        partial_image_index: REQUIRED,
        quality: REQUIRED,
        size: REQUIRED,
        r#type: REQUIRED,
    }

    /// The edited image.
    ImageEditCompletedEvent, IMAGE_EDIT_COMPLETED_EVENT, "ImageEditCompletedEvent", "zerohop.types.image_edit_completed_event" {
        b64_json: REQUIRED,
        background: REQUIRED,
        created_at: REQUIRED,
        output_format: REQUIRED,
        quality: REQUIRED,
        size: REQUIRED,
        r#type: REQUIRED,
        usage: REQUIRED.object(&IMAGE_EDIT_COMPLETED_EVENT_USAGE),
        safety_identifier: OPTIONAL,
    }

    /// What the image counts as.
    ImageEditCompletedEventUsage, IMAGE_EDIT_COMPLETED_EVENT_USAGE, "Usage", "zerohop.types.image_edit_completed_event" {
        input_tokens: REQUIRED,
        input_tokens_details: REQUIRED.object(&IMAGE_EDIT_COMPLETED_EVENT_DETAILS),
        output_tokens: REQUIRED,
        total_tokens: REQUIRED,
    }

    /// What the tokens of a request are of.
    ImageEditCompletedEventUsageDetails, IMAGE_EDIT_COMPLETED_EVENT_DETAILS, "UsageInputTokensDetails", "zerohop.types.image_edit_completed_event" {
        image_tokens: REQUIRED,
        text_tokens: REQUIRED,
    }
}
