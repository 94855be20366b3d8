//! Who may come in: API keys, compared in constant time (T5, ER4).

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::header::{AUTHORIZATION, HeaderMap};
use subtle::ConstantTimeEq;

use super::limits::{Account, RateLimits};
use crate::api::error::{Error, ErrorKind, Result};

/// The callers' accounts: one for each key, or one for everybody where there are no keys.
pub(super) enum Accounts {
    Everybody(Arc<Account>),
    Keys(Vec<(String, Arc<Account>)>),
}

impl Accounts {
    pub(super) fn new(keys: Vec<String>, limits: RateLimits) -> Self {
        let account = || Arc::new(Account::new(limits, Instant::now()));
        if keys.is_empty() {
            Accounts::Everybody(account())
        } else {
            Accounts::Keys(keys.into_iter().map(|key| (key, account())).collect())
        }
    }

    /// The account of who sends these headers.
    ///
    /// # Errors
    ///
    /// `Authentication` for a key that is missing or unknown.
    pub(super) fn of(&self, headers: &HeaderMap) -> Result<Arc<Account>> {
        let keys = match self {
            Accounts::Everybody(account) => return Ok(account.clone()),
            Accounts::Keys(keys) => keys,
        };
        let Some(given) = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes())) else {
            let message = "You didn't provide an API key. This engine wants one in an Authorization header: \
                           'Authorization: Bearer KEY'.";
            return Err(Error::new(ErrorKind::Authentication, message));
        };
        // All are looked at, so that the time tells neither which one fits nor how far one does.
        let mut found = None;
        for (key, account) in keys {
            if bool::from(key.as_bytes().ct_eq(given)) {
                found = Some(account);
            }
        }
        // The key itself is not repeated: errors end up in logs.
        found.cloned().ok_or_else(|| Error::new(ErrorKind::Authentication, "Incorrect API key provided."))
    }
}

/// The key of `Bearer KEY`; the scheme in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys stay out of logs.
        match self {
            Accounts::Everybody(_) => f.write_str("Everybody"),
            Accounts::Keys(keys) => write!(f, "Keys({})", keys.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accounts: &Accounts, value: &str) -> Result<Arc<Account>> {
        accounts.of(&HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]))
    }

    #[test]
    fn a_key_has_its_account() {
        // T5
        let accounts = Accounts::new(vec!["sk-a".to_owned(), "sk-ab".to_owned()], RateLimits::default());
        let (a, ab) = (of(&accounts, "Bearer sk-a").unwrap(), of(&accounts, "bearer  sk-ab ").unwrap());
        assert!(Arc::ptr_eq(&a, &of(&accounts, "BEARER sk-a").unwrap()) && !Arc::ptr_eq(&a, &ab));
        for wrong in ["Bearer sk-", "Bearer sk-abc", "Bearer ", "Basic sk-a", "sk-a", ""] {
            let error = of(&accounts, wrong).unwrap_err();
            assert_eq!((error.status(), error.code()), (Some(401), Some("invalid_api_key")), "{wrong}");
            assert!(!error.message().contains("sk-a"));
        }
        assert!(accounts.of(&HeaderMap::new()).is_err());
        assert_eq!(format!("{accounts:?}"), "Keys(2)");
    }

    #[test]
    fn without_keys_everybody_may_come_in() {
        // T5
        let accounts = Accounts::new(Vec::new(), RateLimits::default());
        assert!(Arc::ptr_eq(&of(&accounts, "Bearer x").unwrap(), &accounts.of(&HeaderMap::new()).unwrap()));
    }
}
