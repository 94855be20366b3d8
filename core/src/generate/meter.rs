//! What is measured of one choice while it is generated.

use std::sync::Arc;
use std::time::Instant;

use super::Finish;
use crate::api::error::Error;
use crate::call::Call;
use crate::metrics::ModelMeters;

/// Measures for one choice.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    call: Option<Arc<Call>>,
    meters: Arc<ModelMeters>,
    submitted: Instant,
    /// When the newest token came.
    newest: Option<Instant>,
    has_begun: bool,
}

impl Meter {
    pub(super) fn new(call: Option<Arc<Call>>, meters: Arc<ModelMeters>) -> Self {
        let submitted = call.as_ref().map_or_else(Instant::now, |call| call.started());
        Meter { call, meters, submitted, newest: None, has_begun: false }
    }

    /// The error to end with when the request's time has passed.
    pub(super) fn timeout(&self, now: Instant) -> Option<Error> {
        self.call.as_ref().filter(|call| call.is_late(now)).map(|call| call.timeout())
    }

    /// Notes that the choice was let in; only the first time counts.
    pub(super) fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            self.meters.queue_time.note(self.submitted.elapsed(), 1);
        }
    }

    /// Notes tokens that came in one step.
    pub(super) fn tokens(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let now = Instant::now();
        match self.newest.replace(now) {
            None => {
                self.meters.time_to_first_token.note(now.saturating_duration_since(self.submitted), 1);
                if count > 1 {
                    self.meters.inter_token_time.note(std::time::Duration::ZERO, count - 1);
                }
            }
            Some(before) => {
                let divisor = u32::try_from(count).unwrap_or(u32::MAX);
                self.meters.inter_token_time.note(now.saturating_duration_since(before) / divisor, count);
            }
        }
        self.meters.completion_tokens.add(count);
        if let Some(call) = &self.call {
            call.add_completion_tokens(count);
        }
    }

    /// Notes how many tokens were drafted, and how many of them came true.
    pub(super) fn drafted(&self, drafted: usize, accepted: usize) {
        self.meters.drafted_tokens.add(drafted);
        self.meters.accepted_draft_tokens.add(accepted);
    }

    /// Notes that so many tokens of a prompt need not be computed.
    pub(super) fn reused(&self, tokens: usize) {
        self.meters.cached_prompt_tokens.add(tokens);
    }

    pub(super) fn finish(&self, finish: &Finish) {
        self.meters.accepted_prediction_tokens.add(finish.accepted_prediction_tokens);
        self.meters.rejected_prediction_tokens.add(finish.rejected_prediction_tokens);
        if let Some(call) = &self.call {
            call.add_completion_tokens(finish.rejected_prediction_tokens);
            call.succeed();
        }
    }

    pub(super) fn fail(&self, error: &Error) {
        if let Some(call) = &self.call {
            call.fail(error);
        }
    }
}
