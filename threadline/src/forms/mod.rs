//! The JSON form of the public records: one, whoever writes it.

mod open_text;
#[cfg(feature = "utoipa")]
mod openapi;
#[cfg(test)]
mod random;
#[cfg(feature = "schemars")]
pub(crate) mod schema;
mod version;

pub use version::FormatVersion;

pub(crate) use open_text::open_text;
