//! For `#[serde(flatten, with)]`: a record, or the reason why it is not available. One of
//! two members is `null`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::record::Unavailable;

/// A record, or the reason why it is not available.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub(crate) struct Outcome<M, U = Unavailable> {
    /// The record as the type of the model; null if it is not available.
    record: Option<M>,
    /// Why the record is not available as the type of the model; null if it is available.
    unavailable: Option<U>,
}

pub(crate) fn serialize<M: Serialize, S: Serializer>(
    record: &Result<M, Unavailable>,
    out: S,
) -> Result<S::Ok, S::Error> {
    Outcome {
        record: record.as_ref().ok(),
        unavailable: record.as_ref().err(),
    }
    .serialize(out)
}

pub(crate) fn deserialize<'de, M: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Result<M, Unavailable>, D::Error> {
    match Outcome::deserialize(from)? {
        Outcome {
            unavailable: Some(reason),
            ..
        } => Ok(Err(reason)),
        Outcome {
            record: Some(record),
            ..
        } => Ok(Ok(record)),
        _ => Err(D::Error::custom(
            "neither `record` nor `unavailable` says anything",
        )),
    }
}
