use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// The version of the JSON form of a result, a number: 1.
///
/// It increases when a member gets another name or meaning. An added member does not
/// increase it, so readers must ignore members that they do not know. A result of another
/// version is refused; one without this member is read as this version.
///
/// ```
/// use threadline::{FormatVersion, Verification};
///
/// assert_eq!(FormatVersion::NUMBER, 1);
/// let error = serde_json::from_str::<Verification>(r#"{"format_version": 2, "findings": []}"#)
///     .unwrap_err();
/// assert!(error.to_string().starts_with("JSON of form 2"), "{error}");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FormatVersion(());

impl FormatVersion {
    /// The version number.
    pub const NUMBER: u32 = 1;
}

impl Serialize for FormatVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for FormatVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            Self::NUMBER => Ok(Self::default()),
            other => Err(D::Error::custom(format!(
                "JSON of form {other}, and this version of threadline reads form {}; update it",
                Self::NUMBER
            ))),
        }
    }
}
