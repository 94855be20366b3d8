//! Finding what a `$ref` means.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Fault;

/// The schema that a reference names, with its path. References stay inside the
/// document: nothing is ever fetched.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str, path: &str) -> Result<(&'a Value, String), Fault> {
    let unknown = || Fault::new(path, format!("there is nothing at `$ref` {reference:?}"));
    let Some(fragment) = reference.strip_prefix('#') else {
        return Err(Fault::new(path, format!("`$ref` {reference:?} points out of the schema, which is not supported")));
    };
    let pointer = percent_decode_str(fragment).decode_utf8().map_err(|_| unknown())?;
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(Fault::new(path, format!("`$ref` {reference:?} names an anchor; only paths are supported")));
    }
    let schema = root.pointer(&pointer).ok_or_else(unknown)?;
    Ok((schema, format!("#{pointer}")))
}
