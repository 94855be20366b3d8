//! The query of a request: what comes behind the `?`.

use http::Uri;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::error::{Error, Result};
use crate::api::parse::shorten;
use crate::api::stored::PageParams;

/// The pairs of a query, in order. `+` is a space, as forms have it.
pub(super) fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// The query of a request that only says which part of a list to give.
pub(crate) fn page(uri: &Uri) -> Result<PageParams> {
    let mut page = PageParams::default();
    for (key, value) in pairs(uri.query()) {
        if !read_page(&mut page, &key, &value)? {
            return Err(unknown(&key));
        }
    }
    Ok(page)
}

/// Takes a pair that says which part of a list to give; returns whether it does.
pub(super) fn read_page(page: &mut PageParams, key: &str, value: &str) -> Result<bool> {
    match key {
        "after" => page.after = Some(value.to_owned()),
        "limit" => page.limit = Some(number(key, value)?),
        "order" => page.order = Some(word(key, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// One of the words of an enum.
pub(super) fn word<T: DeserializeOwned>(key: &str, value: &str) -> Result<T> {
    serde_json::from_value(Value::from(value))
        .map_err(|error| Error::invalid(key.to_owned(), format!("Invalid '{key}': {}", shorten(&error.to_string()))))
}

fn number(key: &str, value: &str) -> Result<u32> {
    value.parse().map_err(|_| {
        Error::invalid(key.to_owned(), format!("Invalid '{key}': expected a number, got '{}'", shorten(value)))
    })
}

pub(super) fn unknown(key: &str) -> Error {
    let key = shorten(key).into_owned();
    let message = format!("Unrecognized request argument: {key}");
    Error::unsupported_parameter(key, message)
}
