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
        draft_model: OPTIONAL,
        adapters: REQUIRED.list(&ADAPTER),
        placement: REQUIRED.list(&PLACEMENT),
        batch_variance: OPTIONAL,
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

    /// What a device has of a model in memory. What is behind the last layer counts as one.
    Placement, PLACEMENT, "Placement", "zerohop.types.placement" {
        device: REQUIRED,
        layers: REQUIRED,
        weights: REQUIRED,
        kv_cache: REQUIRED,
        compute: REQUIRED,
    }

    /// A LoRA adapter of a model. `scale` is how strongly it is applied: 1 as it was trained.
    Adapter, ADAPTER, "Adapter", "zerohop.types.adapter" {
        path: REQUIRED,
        scale: REQUIRED,
    }

    /// This build and the machine that it runs on.
    SystemInfo, SYSTEM_INFO, "SystemInfo", "zerohop.types.system_info" {
        version: REQUIRED,
        llama_cpp: REQUIRED,
        processors: REQUIRED,
        cpu_features: REQUIRED,
        missing_cpu_features: REQUIRED,
        kernels: REQUIRED,
        backends: REQUIRED,
        devices: REQUIRED.list(&DEVICE),
    }
}
