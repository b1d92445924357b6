//! The JSON Schema of the public records, for other languages.

#[cfg(all(feature = "schemars", feature = "export"))]
mod document;
#[cfg(feature = "utoipa")]
mod openapi;
#[cfg(test)]
mod random;

#[cfg(all(feature = "schemars", feature = "export"))]
pub(crate) use document::document;
#[cfg(all(feature = "schemars", feature = "export"))]
pub use document::tidy;
