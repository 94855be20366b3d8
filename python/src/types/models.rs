//! The classes of models and devices.

use pyo3::prelude::*;

use super::base::BaseModel;
use super::classes::classes;
use super::schema::{OPTIONAL, REQUIRED};

classes! {
    /// A model that requests may name.
    Model, MODEL, "Model", "zerohop.types.model" {
        id: REQUIRED,
        created: REQUIRED,
        object: REQUIRED,
        owned_by: REQUIRED,
        shutdown_date: OPTIONAL,
    }

    /// What is left of a model that was deleted.
    ModelDeleted, MODEL_DELETED, "ModelDeleted", "zerohop.types.model_deleted" {
        id: REQUIRED,
        deleted: REQUIRED,
        object: REQUIRED,
    }

    /// What a model is.
    ModelInfo, MODEL_INFO, "ModelInfo", "zerohop.types.model_info" {
        id: REQUIRED,
        aliases: REQUIRED,
        path: REQUIRED,
        file_size: REQUIRED,
        architecture: REQUIRED,
        name: OPTIONAL,
        parameters: REQUIRED,
        quantization: OPTIONAL,
        trained_context_length: REQUIRED,
        context_length: REQUIRED,
        vocabulary_size: REQUIRED,
        has_chat_template: REQUIRED,
        embedding_dimensions: OPTIONAL,
        created: REQUIRED,
        loaded: REQUIRED,
    }

    /// A device that this build can compute on.
    Device, DEVICE, "Device", "zerohop.types.device" {
        name: REQUIRED,
        description: REQUIRED,
        kind: REQUIRED,
        memory_total: REQUIRED,
        memory_free: REQUIRED,
    }
}
