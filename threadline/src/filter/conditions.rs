//! For `#[serde(with)]`: columns with the values that they must have.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A column, and the value that it must have.
#[derive(Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "Condition_{V}")
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition<C, V> {
    column: C,
    value: V,
}

pub(crate) fn serialize<V: Serialize, S: Serializer>(
    list: &[(String, V)],
    out: S,
) -> Result<S::Ok, S::Error> {
    out.collect_seq(
        list.iter()
            .map(|(column, value)| Condition { column, value }),
    )
}

pub(crate) fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<(String, V)>, D::Error> {
    let list = Vec::<Condition<String, V>>::deserialize(from)?;
    Ok(list
        .into_iter()
        .map(|Condition { column, value }| (column, value))
        .collect())
}
