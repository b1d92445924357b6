//! JSON that every parser reads without loss. Most parse numbers as binary floats, which
//! hold 53 bits.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::Error as _;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The integer up to which a binary float represents every integer exactly.
const EXACT: u64 = 1 << 53;

/// A document whose integers beyond 2^53 are written as strings.
#[derive(Debug)]
pub struct Portable<'a>(pub &'a Value);

impl Serialize for Portable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => {
                let beyond = match (number.as_i64(), number.as_u64()) {
                    (Some(integer), _) => integer.unsigned_abs() > EXACT,
                    (None, Some(integer)) => integer > EXACT,
                    (None, None) => false,
                };
                if beyond {
                    serializer.collect_str(number)
                } else {
                    number.serialize(serializer)
                }
            }
            Value::Array(values) => {
                let mut array = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    array.serialize_element(&Portable(value))?;
                }
                array.end()
            }
            Value::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    object.serialize_entry(name, &Portable(value))?;
                }
                object.end()
            }
            other => other.serialize(serializer),
        }
    }
}

/// For `#[serde(with)]`: a value.
pub(crate) mod value {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Value, out: S) -> Result<S::Ok, S::Error> {
        Portable(value).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        Value::deserialize(from)
    }
}

/// For `#[serde(with)]`: an optional value.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Value>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Portable).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Value>, D::Error> {
        Option::deserialize(from)
    }
}

/// For `#[serde(with)]`: a value that may be `null`, and is absent if its member is.
pub(crate) mod present {
    use super::*;

    pub(crate) use super::optional::serialize;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Value>, D::Error> {
        Value::deserialize(from).map(Some)
    }
}

/// For `#[serde(with)]`: an instant to the microsecond, in UTC.
pub(crate) mod instant {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        value: &DateTime<Utc>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_str(&value.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        let instant = DateTime::<Utc>::deserialize(from)?;
        // The replacement for PostgreSQL's `infinity` has microseconds only when written as
        // text.
        let last = DateTime::<Utc>::MAX_UTC;
        Ok(if instant.timestamp_micros() == last.timestamp_micros() {
            last
        } else {
            instant
        })
    }
}

/// For `#[serde(with)]`: an optional instant.
pub(crate) mod optional_instant {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Instant(#[serde(with = "instant")] DateTime<Utc>);

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<DateTime<Utc>>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Instant).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        Ok(Option::<Instant>::deserialize(from)?.map(|instant| instant.0))
    }
}

/// For `#[serde(with)]`: a name that looks like a number.
pub(crate) mod optional_text {
    use super::*;

    pub(crate) fn serialize<S: Serializer, T: Display>(
        value: &Option<T>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(out)
    }

    pub(crate) fn deserialize<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        Option::<String>::deserialize(from)?
            .map(|text| text.parse())
            .transpose()
            .map_err(D::Error::custom)
    }
}

/// Writes the numbers of a JSON text that Rust's JSON parser would round as strings with
/// all their digits. PostgreSQL does not limit the digits of a number.
pub(crate) fn exact(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 8);
    let mut rest = json;
    while let Some(start) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let quoted = rest.starts_with('"');
        let end = if quoted {
            end_of_string(rest)
        } else {
            rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
                .unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(end);
        if quoted || survives(token) {
            out.push_str(token);
        } else {
            out.push('"');
            out.push_str(token);
            out.push('"');
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Returns the length in bytes of the string at the beginning.
fn end_of_string(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns whether Rust's JSON parser keeps all digits of a number.
fn survives(token: &str) -> bool {
    if token.len() <= 15 || token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok() {
        return true;
    }
    let digits = |text: &str| -> String {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits
            .trim_start_matches('0')
            .trim_end_matches('0')
            .to_owned()
    };
    token
        .parse::<f64>()
        .is_ok_and(|float| float.is_finite() && digits(&format!("{float:e}")) == digits(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_would_be_rounded_become_strings() {
        for same in [
            r#"{"a": 1, "b": -2.5, "c": [1e3, 9223372036854775807, 18446744073709551615]}"#,
            r#"{"x": 0.30000000000000004, "y": 1.7976931348623157e308}"#,
            r#""12345678901234567890.123 in \" text""#,
            r#"{"12345678901234567890.5": true, "é\\": null}"#,
            "",
        ] {
            assert_eq!(exact(same), same);
        }
        assert_eq!(
            exact(r#"[12345678901234567890.123, -123456789012345678901234567890, 1]"#),
            r#"["12345678901234567890.123", "-123456789012345678901234567890", 1]"#
        );
    }

    #[test]
    fn a_float_stays_the_float_that_it_is() {
        let largest = format!("17976931348623157{}", "0".repeat(292));
        for token in [
            "0.30000000000000004",
            "8.589973428413488e-7",
            "1.7976931348623157e308",
            "5e-324",
            &largest,
        ] {
            assert_eq!(exact(token), token);
            let read: Value = serde_json::from_str(token).unwrap();
            assert_eq!(read.as_f64(), token.parse().ok(), "{token}");
        }
    }

    #[test]
    fn integers_that_a_float_cannot_hold_are_written_as_strings() {
        let value = serde_json::json!({"a": [9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64, -9_007_199_254_740_993_i64, 1.5]});
        assert_eq!(
            serde_json::to_string(&Portable(&value)).unwrap(),
            r#"{"a":[9007199254740992,"9007199254740993","-9007199254740993",1.5]}"#
        );
    }
}
