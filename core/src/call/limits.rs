//! How much a caller may ask for in a minute, and the headers that say so (T10).

use std::time::{Duration, Instant};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::api::error::{Error, ErrorKind, Result};

/// How much each caller may ask for in a minute; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct RateLimits {
    pub(crate) requests: Option<u32>,
    pub(crate) tokens: Option<u32>,
}

/// What one caller has used up.
#[derive(Debug)]
pub(crate) struct Account(Mutex<Buckets>);

#[derive(Debug)]
struct Buckets {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

/// A limit as a bucket that fills evenly, within a minute.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    limit: f64,
    level: f64,
    filled: Instant,
}

impl Account {
    pub(crate) fn new(limits: RateLimits, now: Instant) -> Self {
        let bucket = |limit: u32| Bucket { limit: f64::from(limit), level: f64::from(limit), filled: now };
        Account(Mutex::new(Buckets { requests: limits.requests.map(bucket), tokens: limits.tokens.map(bucket) }))
    }

    /// Takes a request from what is left.
    ///
    /// # Errors
    ///
    /// `RateLimit`, with the time until there is one (ER5).
    pub(crate) fn take_request(&self, now: Instant) -> Result<()> {
        let mut buckets = self.0.lock();
        buckets.requests.as_mut().map_or(Ok(()), |bucket| bucket.take(1, "requests", "RPM", now))
    }

    /// Takes tokens from what is left.
    ///
    /// # Errors
    ///
    /// As [`take_request`](Self::take_request).
    pub(crate) fn take_tokens(&self, tokens: usize, now: Instant) -> Result<()> {
        let mut buckets = self.0.lock();
        buckets.tokens.as_mut().map_or(Ok(()), |bucket| bucket.take(tokens, "tokens", "TPM", now))
    }

    /// Corrects what was taken for a request by what it came to use. An answer whose length was not
    /// given may use more than there was: later requests wait for that.
    pub(crate) fn settle_tokens(&self, taken: u64, used: u64, now: Instant) {
        if let Some(bucket) = &mut self.0.lock().tokens {
            bucket.fill(now);
            #[expect(clippy::cast_precision_loss, reason = "far fewer tokens than a float counts exactly")]
            let correction = taken as f64 - used as f64;
            bucket.level = (bucket.level + correction).min(bucket.limit);
        }
    }

    /// The `x-ratelimit-` headers (T10).
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap, now: Instant) {
        let mut buckets = self.0.lock();
        let Buckets { requests, tokens } = &mut *buckets;
        for (bucket, names) in [(requests, REQUESTS), (tokens, TOKENS)] {
            let Some(bucket) = bucket else { continue };
            bucket.fill(now);
            let values = [
                bucket.limit.to_string(),
                bucket.level.max(0.0).floor().to_string(),
                shown(bucket.time_until(bucket.limit)),
            ];
            for (name, value) in names.into_iter().zip(values) {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
        }
    }
}

const REQUESTS: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: [&str; 3] = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.level = (self.level + seconds * self.limit / 60.0).min(self.limit);
        self.filled = self.filled.max(now);
    }

    fn take(&mut self, count: usize, what: &str, short: &str, now: Instant) -> Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "far less than a float counts exactly")]
        let wanted = count as f64;
        let limit = self.limit;
        if wanted > limit {
            let message = format!(
                "Request too large: {what} per min ({short}): Limit {limit}, Requested {count}. Ask for less in one \
                 request; it will never fit."
            );
            return Err(refused(message).without_retry());
        }
        self.fill(now);
        if wanted > self.level {
            let delay = self.time_until(wanted);
            let used = (limit - self.level).ceil();
            let message = format!(
                "Rate limit reached for {what} per min ({short}): Limit {limit}, Used {used}, Requested {count}. \
                 Please try again in {}.",
                shown(delay)
            );
            return Err(refused(message).with_retry_after(delay));
        }
        self.level -= wanted;
        Ok(())
    }

    fn time_until(&self, level: f64) -> Duration {
        Duration::try_from_secs_f64((level - self.level).max(0.0) * 60.0 / self.limit).unwrap_or(Duration::MAX)
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::RateLimit, message)
}

/// A time as OpenAI writes it: `120ms`, `8.64s`, `6m0s`. Rounded up, so that who waits so long does
/// not come too early.
fn shown(time: Duration) -> String {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    let (minutes, rest) = (milliseconds / 60_000, milliseconds % 60_000);
    let seconds = format!("{}.{:03}", rest / 1000, rest % 1000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (minutes, rest) {
        (0, 0..1000) => format!("{rest}ms"),
        (0, _) => format!("{seconds}s"),
        _ => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(account: &Account, now: Instant) -> Vec<String> {
        let mut headers = HeaderMap::new();
        account.write_headers(&mut headers, now);
        REQUESTS
            .iter()
            .chain(&TOKENS)
            .filter_map(|name| headers.get(*name).map(|value| value.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn requests_come_back_evenly() {
        // ER5, T10
        let start = Instant::now();
        let account = Account::new(RateLimits { requests: Some(3), tokens: None }, start);
        for _ in 0..3 {
            account.take_request(start).unwrap();
        }
        let full = account.take_request(start).unwrap_err();
        assert_eq!((full.status(), full.code()), (Some(429), Some("rate_limit_exceeded")));
        assert_eq!(full.retry_after(), Some(Duration::from_secs(20)));
        assert!(full.message().contains("Limit 3, Used 3, Requested 1") && full.message().contains("20s"), "{full}");
        assert_eq!(headers(&account, start), ["3", "0", "1m0s"]);
        let soon = start + Duration::from_secs(20);
        assert_eq!(headers(&account, soon), ["3", "1", "40s"]);
        account.take_request(soon).unwrap();
        assert!(account.take_request(soon).is_err());
        // A clock that goes back takes nothing and gives nothing.
        assert!(account.take_request(start).is_err());
        assert_eq!(headers(&account, start + Duration::from_secs(3600)), ["3", "3", "0ms"]);
    }

    #[test]
    fn tokens_are_settled_by_what_was_used() {
        let start = Instant::now();
        let account = Account::new(RateLimits { requests: None, tokens: Some(600) }, start);
        account.take_tokens(500, start).unwrap();
        assert_eq!(headers(&account, start), ["600", "100", "50s"]);
        account.settle_tokens(500, 50, start);
        assert_eq!(headers(&account, start), ["600", "550", "5s"]);
        // More than was there: who comes next waits for it.
        account.settle_tokens(0, 1150, start);
        assert_eq!(headers(&account, start), ["600", "0", "2m0s"]);
        assert_eq!(account.take_tokens(1, start).unwrap_err().retry_after(), Some(Duration::from_millis(60_100)));
        // What can never fit is not worth a retry (ER7).
        let large = account.take_tokens(601, start).unwrap_err();
        assert_eq!((large.status(), large.retry_after()), (Some(429), None));
    }

    #[test]
    fn times_are_written_as_openai_does() {
        for (milliseconds, text) in [
            (0, "0ms"),
            (1, "1ms"),
            (999, "999ms"),
            (1000, "1s"),
            (8640, "8.64s"),
            (60_000, "1m0s"),
            (372_500, "6m12.5s"),
        ] {
            assert_eq!(shown(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(shown(Duration::from_nanos(1)), "1ms");
    }
}
