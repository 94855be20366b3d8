//! The classes of files and of batches.

use pyo3::prelude::*;

use super::base::BaseModel;
use super::classes::classes;
use super::schema::{OPTIONAL, REQUIRED};

classes! {
    /// A file that the engine keeps.
    FileObject, FILE_OBJECT, "FileObject", "zerohop.types.file_object" {
        id: REQUIRED,
        bytes: REQUIRED,
        created_at: REQUIRED,
        filename: REQUIRED,
        object: REQUIRED,
        purpose: REQUIRED,
        status: REQUIRED,
        expires_at: OPTIONAL,
        status_details: OPTIONAL,
    }

    /// That a file has been deleted.
    FileDeleted, FILE_DELETED, "FileDeleted", "zerohop.types.file_deleted" {
        id: REQUIRED,
        deleted: REQUIRED,
        object: REQUIRED,
    }

    /// A file of requests and what has become of them.
    Batch, BATCH, "Batch", "zerohop.types.batch" {
        id: REQUIRED,
        completion_window: REQUIRED,
        created_at: REQUIRED,
        endpoint: REQUIRED,
        input_file_id: REQUIRED,
        object: REQUIRED,
        status: REQUIRED,
        cancelled_at: OPTIONAL,
        cancelling_at: OPTIONAL,
        completed_at: OPTIONAL,
        error_file_id: OPTIONAL,
        errors: OPTIONAL.object(&BATCH_ERRORS),
        expired_at: OPTIONAL,
        expires_at: OPTIONAL,
        failed_at: OPTIONAL,
        finalizing_at: OPTIONAL,
        in_progress_at: OPTIONAL,
        metadata: OPTIONAL,
        model: OPTIONAL,
        output_file_id: OPTIONAL,
        request_counts: OPTIONAL.object(&BATCH_REQUEST_COUNTS),
        usage: OPTIONAL.object(&BATCH_USAGE),
    }

    /// What is wrong with a batch.
    BatchErrors, BATCH_ERRORS, "Errors", "zerohop.types.batch" {
        data: OPTIONAL.list(&BATCH_ERROR),
        object: OPTIONAL,
    }

    /// What is wrong with a line of a batch, or with the batch as a whole.
    BatchError, BATCH_ERROR, "BatchError", "zerohop.types.batch_error" {
        code: OPTIONAL,
        line: OPTIONAL,
        message: OPTIONAL,
        param: OPTIONAL,
    }

    /// How many of a batch's requests have been answered.
    BatchRequestCounts, BATCH_REQUEST_COUNTS, "BatchRequestCounts", "zerohop.types.batch_request_counts" {
        completed: REQUIRED,
        failed: REQUIRED,
        total: REQUIRED,
    }

    /// The tokens of a batch's answers.
    BatchUsage, BATCH_USAGE, "BatchUsage", "zerohop.types.batch_usage" {
        input_tokens: REQUIRED,
        input_tokens_details: REQUIRED.object(&BATCH_INPUT_TOKENS_DETAILS),
        output_tokens: REQUIRED,
        output_tokens_details: REQUIRED.object(&BATCH_OUTPUT_TOKENS_DETAILS),
        total_tokens: REQUIRED,
    }

    /// A part of a batch's input tokens.
    BatchInputTokensDetails, BATCH_INPUT_TOKENS_DETAILS, "InputTokensDetails", "zerohop.types.batch_usage" {
        cached_tokens: REQUIRED,
    }

    /// A part of a batch's output tokens.
    BatchOutputTokensDetails, BATCH_OUTPUT_TOKENS_DETAILS, "OutputTokensDetails", "zerohop.types.batch_usage" {
        reasoning_tokens: REQUIRED,
    }

    /// What has become of a batch's requests.
    BatchCounts, BATCH_COUNTS, "BatchCounts", "zerohop.types.batch_counts" {
        total: REQUIRED,
        completed: REQUIRED,
        failed: REQUIRED,
        resumed: REQUIRED,
        input_tokens: REQUIRED,
        cached_tokens: REQUIRED,
        output_tokens: REQUIRED,
        reasoning_tokens: REQUIRED,
    }
}
