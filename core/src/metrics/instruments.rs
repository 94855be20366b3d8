//! What counts and measures: atomics alone, so that counting takes no lock and no memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper bounds of the buckets, in microseconds: 1, 2 and 5 times the powers of ten, from
/// 100 microseconds, a tiny model's token, to 200 seconds.
const BOUNDS: [u64; 20] = [
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
];

/// How often times of which length were measured.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// The last is for what is longer than every bound.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl Times {
    /// Notes one time, `count` times.
    pub(crate) fn note(&self, time: Duration, count: usize) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < microseconds);
        self.buckets[bucket].fetch_add(count as u64, Ordering::Relaxed);
        self.microseconds.fetch_add(microseconds.saturating_mul(count as u64), Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Histogram {
        let mut count = 0;
        let mut cumulative = |bucket: &AtomicU64| {
            count += bucket.load(Ordering::Relaxed);
            count
        };
        let (longest, bounded) = match self.buckets.split_last() {
            Some(split) => split,
            None => unreachable!("there is always the last bucket"),
        };
        let buckets = BOUNDS.iter().zip(bounded).map(|(bound, bucket)| Bucket {
            seconds: Duration::from_micros(*bound).as_secs_f64(),
            count: cumulative(bucket),
        });
        let buckets = buckets.collect();
        let count = cumulative(longest);
        let sum = Duration::from_micros(self.microseconds.load(Ordering::Relaxed)).as_secs_f64();
        Histogram { count, sum, buckets }
    }
}

/// How often times of which length were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Histogram {
    /// How many times were measured.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
    /// How many of them were within which bound, in rising order.
    pub buckets: Vec<Bucket>,
}

impl Histogram {
    /// The average in seconds; 0 when nothing was measured.
    pub fn mean(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an average")]
        let count = self.count.max(1) as f64;
        self.sum / count
    }
}

/// A bound of a [`Histogram`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bucket {
    /// The bound in seconds, itself included.
    pub seconds: f64,
    /// How many of the times were no longer.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_up_to_each_bound() {
        let times = Times::default();
        for (microseconds, count) in [(0, 1), (100, 1), (101, 2), (3_000_000_000, 1)] {
            times.note(Duration::from_micros(microseconds), count);
        }
        let histogram = times.snapshot();
        assert_eq!(histogram.count, 5);
        let counts: Vec<u64> = histogram.buckets.iter().map(|bucket| bucket.count).collect();
        assert_eq!(counts[..3], [2, 4, 4]);
        assert_eq!(counts.last(), Some(&4));
        assert!((histogram.sum - 3000.000_302).abs() < 1e-6);
        assert!((histogram.mean() - 600.0).abs() < 0.001);
        // Longer than any clock runs.
        times.note(Duration::MAX, 1);
        assert_eq!(times.snapshot().count, 6);
    }
}
