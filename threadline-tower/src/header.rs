use http::{HeaderMap, HeaderName};

/// The maximum length of an id in a context, in bytes.
const MAX_ID_BYTES: usize = 512;

/// A header that is present but invalid: empty, repeated, too long, or not text.
pub(crate) struct Unusable;

/// Returns the value of a header, if the request has it.
pub(crate) fn value<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Unusable> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Which of several values is meant would be a guess, and an audit must not guess.
    if values.next().is_some() {
        return Err(Unusable);
    }
    match value.to_str() {
        Ok(text) if !text.trim().is_empty() && text.len() <= MAX_ID_BYTES => Ok(Some(text)),
        _ => Err(Unusable),
    }
}
