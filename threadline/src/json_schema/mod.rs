//! The JSON form of the public records, described for other languages.

#[cfg(all(feature = "schemars", feature = "export"))]
mod document;
#[cfg(feature = "utoipa")]
mod openapi;
#[cfg(test)]
mod random;

#[cfg(all(feature = "schemars", feature = "export"))]
pub(crate) use document::document;
