use http::{HeaderMap, HeaderName};

/// What a context takes as an id, in bytes.
const MAX_ID_BYTES: usize = 512;

/// A header that a request has, and cannot mean: empty, twice, too long, or no text.
pub(crate) struct Unusable;

/// The value of a header, if the request has it.
pub(crate) fn value<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Unusable> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Which of several is meant is a guess, and a guess is no record.
    if values.next().is_some() {
        return Err(Unusable);
    }
    match value.to_str() {
        Ok(text) if !text.trim().is_empty() && text.len() <= MAX_ID_BYTES => Ok(Some(text)),
        _ => Err(Unusable),
    }
}
