//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, as the API's `created` and the like have them.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
