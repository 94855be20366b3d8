//! What an engine counts of itself: a snapshot for programs, text for Prometheus.

mod instruments;
pub(crate) mod prometheus;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

pub use instruments::{Bucket, Histogram};
pub(crate) use instruments::{Counter, Gauge, Times};

/// What an engine has done, and is doing, at one moment.
///
/// [`Engine::metrics`](crate::Engine::metrics) takes it. It serialises to JSON
/// (`GET /metrics?format=json`) and, with [`to_prometheus`](Self::to_prometheus), to
/// Prometheus' text format (`GET /metrics`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Requests that have ended, by HTTP status, those of typed calls included. 499 stands for
    /// those that were cancelled, dropped, or ended by [`close`](crate::Engine::close).
    pub requests: BTreeMap<u16, u64>,
    /// Requests that have not ended.
    pub requests_in_flight: u64,
    /// How long requests took, from their arrival to the end of their answer.
    pub request_duration: Histogram,
    /// What the models do, in the order they were added.
    pub models: Vec<ModelMetrics>,
}

/// What one model has done, and is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelMetrics {
    /// The model's name.
    pub model: String,
    /// Requests that wait for a slot.
    pub queue_length: u64,
    /// Requests that can be computed together.
    pub slots: u64,
    /// Those that are.
    pub slots_busy: u64,
    /// Tokens that the KV cache can hold; 0 for a model that makes vectors.
    pub kv_cells: u64,
    /// Those that it holds of running requests.
    pub kv_cells_used: u64,
    /// Those that it keeps for later requests, and gives up when running ones need them.
    pub kv_cells_cached: u64,
    /// Tokens of the prompts, and of texts to make vectors of, that were taken on.
    pub prompt_tokens: u64,
    /// Tokens of prompts that were not computed, because an earlier request began alike.
    pub cached_prompt_tokens: u64,
    /// Tokens that were generated.
    pub completion_tokens: u64,
    /// Tokens of predictions that came true, and so cost no step of their own.
    pub accepted_prediction_tokens: u64,
    /// Tokens of predictions that were computed in vain.
    pub rejected_prediction_tokens: u64,
    /// Tokens that were drafted, because others like those before them had come before or by a draft model.
    pub drafted_tokens: u64,
    /// Those of them that came true, and so cost no step of their own.
    pub accepted_draft_tokens: u64,
    /// How often a request was put back into the queue because the KV cache was full; its tokens
    /// were then computed again.
    pub evictions: u64,
    /// How long requests waited before they were first computed.
    pub queue_time: Histogram,
    /// How long it took from a request's arrival to its first token, for each answer.
    pub time_to_first_token: Histogram,
    /// How long it took from one token to the next, for each token but the first.
    pub inter_token_time: Histogram,
}

/// What counts for one model.
#[derive(Debug, Default)]
pub(crate) struct ModelMeters {
    pub(crate) queue_length: Gauge,
    pub(crate) slots: Gauge,
    pub(crate) slots_busy: Gauge,
    pub(crate) kv_cells: Gauge,
    pub(crate) kv_cells_used: Gauge,
    pub(crate) kv_cells_cached: Gauge,
    pub(crate) prompt_tokens: Counter,
    pub(crate) cached_prompt_tokens: Counter,
    pub(crate) completion_tokens: Counter,
    pub(crate) accepted_prediction_tokens: Counter,
    pub(crate) rejected_prediction_tokens: Counter,
    pub(crate) drafted_tokens: Counter,
    pub(crate) accepted_draft_tokens: Counter,
    pub(crate) evictions: Counter,
    pub(crate) queue_time: Times,
    pub(crate) time_to_first_token: Times,
    pub(crate) inter_token_time: Times,
}

impl ModelMeters {
    pub(crate) fn snapshot(&self, model: &str) -> ModelMetrics {
        ModelMetrics {
            model: model.to_owned(),
            queue_length: self.queue_length.get(),
            slots: self.slots.get(),
            slots_busy: self.slots_busy.get(),
            kv_cells: self.kv_cells.get(),
            kv_cells_used: self.kv_cells_used.get(),
            kv_cells_cached: self.kv_cells_cached.get(),
            prompt_tokens: self.prompt_tokens.get(),
            cached_prompt_tokens: self.cached_prompt_tokens.get(),
            completion_tokens: self.completion_tokens.get(),
            accepted_prediction_tokens: self.accepted_prediction_tokens.get(),
            rejected_prediction_tokens: self.rejected_prediction_tokens.get(),
            drafted_tokens: self.drafted_tokens.get(),
            accepted_draft_tokens: self.accepted_draft_tokens.get(),
            evictions: self.evictions.get(),
            queue_time: self.queue_time.snapshot(),
            time_to_first_token: self.time_to_first_token.snapshot(),
            inter_token_time: self.inter_token_time.snapshot(),
        }
    }
}

/// The status of a request whose caller did not wait for the end, as nginx has it.
pub(crate) const CANCELLED: u16 = 499;

/// Every status that a request can end with.
const STATUSES: [u16; 11] = [200, 400, 401, 403, 404, 408, 409, 429, CANCELLED, 500, 503];

/// What counts requests.
#[derive(Debug, Default)]
pub(crate) struct RequestMeters {
    by_status: [AtomicU64; STATUSES.len()],
    duration: Times,
}

impl RequestMeters {
    /// Notes that a request has ended.
    pub(crate) fn note(&self, status: u16, duration: std::time::Duration) {
        // A status that is not in the table is a server error: there is no other way to it.
        let index = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 2);
        self.by_status[index].fetch_add(1, Ordering::Relaxed);
        self.duration.note(duration, 1);
    }

    pub(crate) fn snapshot(&self, in_flight: usize, models: Vec<ModelMetrics>) -> Metrics {
        let counts = self.by_status.iter().map(|count| count.load(Ordering::Relaxed));
        Metrics {
            requests: STATUSES.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect(),
            requests_in_flight: in_flight as u64,
            request_duration: self.duration.snapshot(),
            models,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn every_kind_of_error_has_its_count() {
        assert!(ErrorKind::ALL.into_iter().filter_map(ErrorKind::status).all(|status| STATUSES.contains(&status)));
        assert_eq!(STATUSES[STATUSES.len() - 2], 500);
    }
}
