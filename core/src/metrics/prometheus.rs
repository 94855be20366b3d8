//! Metrics in Prometheus' text format, version 0.0.4.

use std::fmt::Write;

use super::{Histogram, Metrics, ModelMetrics};

/// The media type of the text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A number of a model's: name, kind, help, and where it is.
type Number = (&'static str, &'static str, &'static str, fn(&ModelMetrics) -> u64);

const NUMBERS: [Number; 12] = [
    ("zerohop_queue_length", "gauge", "Requests that wait for a slot.", |model| model.queue_length),
    ("zerohop_slots", "gauge", "Requests that can be computed together.", |model| model.slots),
    ("zerohop_slots_busy", "gauge", "Requests that are being computed.", |model| model.slots_busy),
    ("zerohop_kv_cells", "gauge", "Tokens that the KV cache can hold.", |model| model.kv_cells),
    ("zerohop_kv_cells_used", "gauge", "Tokens of running requests that the KV cache holds.", |model| {
        model.kv_cells_used
    }),
    ("zerohop_kv_cells_cached", "gauge", "Tokens that the KV cache keeps for later requests.", |model| {
        model.kv_cells_cached
    }),
    ("zerohop_prompt_tokens_total", "counter", "Prompt tokens taken on.", |model| model.prompt_tokens),
    ("zerohop_cached_prompt_tokens_total", "counter", "Prompt tokens that were not computed again.", |model| {
        model.cached_prompt_tokens
    }),
    ("zerohop_completion_tokens_total", "counter", "Tokens generated.", |model| model.completion_tokens),
    ("zerohop_drafted_tokens_total", "counter", "Tokens that were drafted.", |model| model.drafted_tokens),
    ("zerohop_accepted_draft_tokens_total", "counter", "Drafted tokens that came true.", |model| {
        model.accepted_draft_tokens
    }),
    ("zerohop_evictions_total", "counter", "Requests put back because the KV cache was full.", |model| model.evictions),
];

/// Times of a model's: name, help, and where they are.
type Timing = (&'static str, &'static str, fn(&ModelMetrics) -> &Histogram);

const TIMES: [Timing; 3] = [
    ("zerohop_queue_seconds", "Time from a request's arrival to its computation.", |model| &model.queue_time),
    ("zerohop_time_to_first_token_seconds", "Time from a request's arrival to an answer's first token.", |model| {
        &model.time_to_first_token
    }),
    ("zerohop_inter_token_seconds", "Time from one token to the next.", |model| &model.inter_token_time),
];

impl Metrics {
    /// The metrics in Prometheus' text format, version 0.0.4.
    ///
    /// ```no_run
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let text = engine.metrics().to_prometheus();
    /// assert!(text.contains("zerohop_slots_busy{model=\"chat\"} 0"));
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn to_prometheus(&self) -> String {
        let mut text = Text::default();
        text.head("zerohop_requests_total", "counter", "Requests that have ended, by HTTP status.");
        for (status, count) in &self.requests {
            text.sample("zerohop_requests_total", &format!("status=\"{status}\""), count);
        }
        text.head("zerohop_requests_in_flight", "gauge", "Requests that have not ended.");
        text.sample("zerohop_requests_in_flight", "", &self.requests_in_flight);
        text.head("zerohop_request_seconds", "histogram", "Time from a request's arrival to its end.");
        text.histogram("zerohop_request_seconds", "", &self.request_duration);

        let models: Vec<_> =
            self.models.iter().map(|model| (format!("model=\"{}\"", escaped(&model.model)), model)).collect();
        for (name, kind, help, number) in NUMBERS {
            text.head(name, kind, help);
            for (label, model) in &models {
                text.sample(name, label, &number(model));
            }
        }
        let predictions = "zerohop_prediction_tokens_total";
        text.head(predictions, "counter", "Tokens of predictions, by what became of them.");
        for (label, model) in &models {
            text.sample(predictions, &format!("{label},outcome=\"accepted\""), &model.accepted_prediction_tokens);
            text.sample(predictions, &format!("{label},outcome=\"rejected\""), &model.rejected_prediction_tokens);
        }
        for (name, help, times) in TIMES {
            text.head(name, "histogram", help);
            for (label, model) in &models {
                text.histogram(name, label, times(model));
            }
        }
        text.0
    }
}

/// The text on its way. Writing to a string cannot fail.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: &dyn std::fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let comma = if labels.is_empty() { "" } else { "," };
        let bucket = format!("{name}_bucket");
        for bound in &histogram.buckets {
            self.sample(&bucket, &format!("{labels}{comma}le=\"{}\"", bound.seconds), &bound.count);
        }
        self.sample(&bucket, &format!("{labels}{comma}le=\"+Inf\""), &histogram.count);
        self.sample(&format!("{name}_sum"), labels, &histogram.sum);
        self.sample(&format!("{name}_count"), labels, &histogram.count);
    }
}

/// A label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{ModelMeters, RequestMeters};

    #[test]
    fn the_text_is_prometheus() {
        let meters = ModelMeters::default();
        meters.slots.set(16);
        meters.accepted_prediction_tokens.add(3);
        meters.inter_token_time.note(Duration::from_millis(3), 2);
        let requests = RequestMeters::default();
        requests.note(429, Duration::from_millis(1));
        let text = requests.snapshot(2, vec![meters.snapshot("a\"b\\c\n")]).to_prometheus();
        for line in [
            "# TYPE zerohop_requests_total counter",
            "zerohop_requests_total{status=\"429\"} 1",
            "zerohop_requests_in_flight 2",
            "zerohop_request_seconds_bucket{le=\"0.001\"} 1",
            "zerohop_request_seconds_count 1",
            "zerohop_slots{model=\"a\\\"b\\\\c\\n\"} 16",
            "zerohop_prediction_tokens_total{model=\"a\\\"b\\\\c\\n\",outcome=\"accepted\"} 3",
            "zerohop_inter_token_seconds_bucket{model=\"a\\\"b\\\\c\\n\",le=\"0.002\"} 0",
            "zerohop_inter_token_seconds_bucket{model=\"a\\\"b\\\\c\\n\",le=\"0.005\"} 2",
            "zerohop_inter_token_seconds_bucket{model=\"a\\\"b\\\\c\\n\",le=\"+Inf\"} 2",
            "zerohop_inter_token_seconds_sum{model=\"a\\\"b\\\\c\\n\"} 0.006",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
