//! The requests and replies of `/v1/batches` (BA2 to BA4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chat_validate::check_metadata;
use super::error::{Error, Result};
use super::files::check_expiry;
use super::models::ListObject;
use super::stored::Entry;

/// The paths that a batch can be for.
const ENDPOINTS: [&str; 5] =
    ["/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/rerank"];

/// A file of requests to answer.
///
/// ```
/// use zerohop::types::CreateBatchRequest;
///
/// let request = CreateBatchRequest::new("file-abc", "/v1/chat/completions").metadata("job", "nightly");
/// assert_eq!(request.metadata.unwrap()["job"], "nightly");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateBatchRequest {
    /// The id of the file, whose purpose must be `batch`.
    pub input_file_id: String,
    /// The path of all requests: `/v1/chat/completions`, `/v1/responses`, `/v1/completions`,
    /// `/v1/embeddings` or `/v1/rerank`.
    pub endpoint: String,
    /// How long the batch may take: always `24h`.
    pub completion_window: String,
    /// Labels to keep with the batch, at most 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// How long the files of results are kept. Default: as long as the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_expires_after: Option<OutputExpiresAfter>,
}

/// How long a batch's files of results are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputExpiresAfter {
    /// From when on: always the file's own time.
    pub anchor: ExpiryAnchor,
    /// So many seconds, 3600 (an hour) to 2592000 (thirty days).
    pub seconds: u64,
}

/// The fixed `anchor` of an [`OutputExpiresAfter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpiryAnchor {
    /// `created_at`
    #[default]
    #[serde(rename = "created_at")]
    CreatedAt,
}

impl CreateBatchRequest {
    /// A request to answer a file.
    pub fn new(input_file_id: impl Into<String>, endpoint: impl Into<String>) -> Self {
        CreateBatchRequest {
            input_file_id: input_file_id.into(),
            endpoint: endpoint.into(),
            completion_window: "24h".to_owned(),
            metadata: None,
            output_expires_after: None,
        }
    }

    /// Adds a label.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// Keeps the files of results for so many seconds.
    pub fn output_expires_after(mut self, seconds: u64) -> Self {
        self.output_expires_after = Some(OutputExpiresAfter { anchor: ExpiryAnchor::CreatedAt, seconds });
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if !ENDPOINTS.contains(&self.endpoint.as_str()) {
            return Err(Error::invalid("endpoint", format!("'endpoint' must be one of {}", ENDPOINTS.join(", "))));
        }
        if self.completion_window != "24h" {
            return Err(Error::invalid("completion_window", "'completion_window' must be '24h'"));
        }
        self.metadata.as_ref().map_or(Ok(()), check_metadata)?;
        check_expiry("output_expires_after.seconds", self.output_expires_after.map(|expiry| expiry.seconds))
    }
}

/// A batch: a file of requests and what has become of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Batch {
    /// What requests call it.
    pub id: String,
    /// Always `batch`.
    pub object: BatchObject,
    /// The path of its requests.
    pub endpoint: String,
    /// What is wrong with its file, or ended it.
    pub errors: Option<BatchErrors>,
    /// The file of its requests.
    pub input_file_id: String,
    /// Always `24h`.
    pub completion_window: String,
    /// How far it is.
    pub status: BatchStatus,
    /// The file of the answers, once it has ended and if there are any.
    pub output_file_id: Option<String>,
    /// The file of the requests that failed, once it has ended and if there are any.
    pub error_file_id: Option<String>,
    /// When it was made, in seconds since 1970; so are the other times, which are those at which it
    /// took on the statuses of these names.
    pub created_at: u64,
    /// When its first requests were sent.
    pub in_progress_at: Option<u64>,
    /// When it expires if it has not ended.
    pub expires_at: Option<u64>,
    /// See [`BatchStatus::Finalizing`].
    pub finalizing_at: Option<u64>,
    /// See [`BatchStatus::Completed`].
    pub completed_at: Option<u64>,
    /// See [`BatchStatus::Failed`].
    pub failed_at: Option<u64>,
    /// See [`BatchStatus::Expired`].
    pub expired_at: Option<u64>,
    /// See [`BatchStatus::Cancelling`].
    pub cancelling_at: Option<u64>,
    /// See [`BatchStatus::Cancelled`].
    pub cancelled_at: Option<u64>,
    /// How many of its requests have been answered; counts while it is computed.
    pub request_counts: BatchRequestCounts,
    /// The tokens of its answers.
    pub usage: Option<BatchUsage>,
    /// The labels it was given.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// The fixed `object` of a [`Batch`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchObject {
    /// `batch`
    #[default]
    #[serde(rename = "batch")]
    Batch,
}

/// How far a [`Batch`] is (BA4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BatchStatus {
    /// Its file waits to be checked, or is being checked.
    Validating,
    /// Its file is faulty, or something ended it; `errors` says why.
    Failed,
    /// Its requests are being answered.
    InProgress,
    /// All are answered, and the files of results are being made.
    Finalizing,
    /// It has ended.
    Completed,
    /// It took longer than its window. What was finished by then is in its files.
    Expired,
    /// It is about to end because it was cancelled.
    Cancelling,
    /// It was cancelled. What was finished by then is in its files.
    Cancelled,
}

impl BatchStatus {
    /// Whether the batch has ended, one way or another.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Failed | Self::Completed | Self::Expired | Self::Cancelled)
    }
}

/// How many of a batch's requests have been answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchRequestCounts {
    /// The requests of the file; 0 until that has been checked.
    pub total: u64,
    /// Those with an answer.
    pub completed: u64,
    /// Those with an error.
    pub failed: u64,
}

/// What is wrong with a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchErrors {
    /// Always `list`.
    pub object: ListObject,
    /// The faults, at most the first 100.
    pub data: Vec<BatchError>,
}

/// What is wrong with a line of a batch's file, or with the batch as a whole (BA2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchError {
    /// A stable word for programs, such as `invalid_json_line` or `duplicate_custom_id`.
    pub code: String,
    /// The line's number in the file, from 1; `None` where it is about the whole file.
    pub line: Option<u64>,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The field that is at fault.
    pub param: Option<String>,
}

/// The tokens of a batch's answers, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchUsage {
    /// Tokens of the prompts.
    pub input_tokens: u64,
    /// A part of these.
    pub input_tokens_details: BatchInputTokensDetails,
    /// Tokens of the answers.
    pub output_tokens: u64,
    /// A part of these.
    pub output_tokens_details: BatchOutputTokensDetails,
    /// Both together.
    pub total_tokens: u64,
}

/// A part of a batch's input tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchInputTokensDetails {
    /// Tokens that were computed for an earlier prompt.
    pub cached_tokens: u64,
}

/// A part of a batch's output tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchOutputTokensDetails {
    /// Tokens of thoughts.
    pub reasoning_tokens: u64,
}

impl Entry for Batch {
    fn entry_id(&self) -> &str {
        &self.id
    }
}
