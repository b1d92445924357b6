//! Values, each rendered by its kind.

use maud::{Markup, html};
use serde_json::Value;

use crate::texts;

/// The number of characters of a value that a page shows. The rest is behind a link.
pub(crate) const SHOWN: usize = 600;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Masked,
    Hash,
    Erased,
    Json,
    Number,
    Boolean,
    Text,
}

/// Returns the kind of a value. `masked`: the column policy hides values.
pub(crate) fn kind(value: &Value, masked: bool) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::String(text) if is_hash(text) && masked => Kind::Hash,
        Value::String(text) if is_erased(text) => Kind::Erased,
        _ if masked => Kind::Masked,
        Value::String(_) => Kind::Text,
        Value::Number(_) => Kind::Number,
        Value::Bool(_) => Kind::Boolean,
        Value::Array(_) | Value::Object(_) => Kind::Json,
    }
}

fn is_hash(text: &str) -> bool {
    text.strip_prefix("hash:").is_some_and(|hash| {
        hash == "unknown" || hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn is_erased(text: &str) -> bool {
    text.strip_prefix("erased:")
        .is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

/// Renders a value. A long value is cut, with a link to the full one.
pub(crate) fn value(value: &Value, masked: bool, whole: Option<&str>) -> Markup {
    html! {
        @match kind(value, masked) {
            Kind::Null => { em.null { (texts::NULL) } }
            Kind::Masked => { span.badge.masked { (texts::MASKED) } }
            Kind::Hash => {
                span.badge.masked { (texts::HASHED) }
                @if let Some(hash) = value.as_str().and_then(|t| t.get(6..14)) { " " code { (hash) "…" } }
            }
            Kind::Erased => { span.badge.erased { (texts::ERASED) } }
            Kind::Json => { pre.json { (cut(&pretty(value), whole)) } }
            Kind::Number | Kind::Boolean => { span.number { (value) } }
            Kind::Text => {
                @match value.as_str() {
                    Some("") | None => { em.null { (texts::EMPTY) } }
                    Some(text) => { span.text dir="auto" { (cut(text, whole)) } }
                }
            }
        }
    }
}

/// Formats a value on one line, or on several if it is longer than 60 bytes.
pub(crate) fn pretty(value: &Value) -> String {
    let line = value.to_string();
    if line.len() <= 60 {
        return line;
    }
    serde_json::to_string_pretty(value).unwrap_or(line)
}

/// Cuts a long text, and adds a link to the full one.
pub(crate) fn cut(text: &str, whole: Option<&str>) -> Markup {
    let end = text.char_indices().nth(SHOWN).map(|(at, _)| at);
    html! {
        @match end {
            None => { (text) }
            Some(end) => {
                (&text[..end]) "… "
                @if let Some(whole) = whole {
                    a.whole href=(whole) { (texts::WHOLE_VALUE) " (" (bytes(text.len())) ")" }
                } @else {
                    span.quiet { "(" (bytes(text.len())) ")" }
                }
            }
        }
    }
}

/// Formats a number of bytes.
pub(crate) fn bytes(number: usize) -> String {
    match number {
        0..1_000 => format!("{number} bytes"),
        1_000..1_000_000 => format!("{} kB", number / 1_000),
        _ => format!("{:.1} MB", number as f64 / 1e6),
    }
}

/// Formats a count with commas between the thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_shown_as_what_it_is() {
        assert_eq!(kind(&json!(null), true), Kind::Null);
        assert_eq!(kind(&json!("***"), true), Kind::Masked);
        assert_eq!(kind(&json!("***"), false), Kind::Text);
        let hash = json!("hash:0123456789abcdef0123456789abcdef");
        assert_eq!(kind(&hash, true), Kind::Hash);
        assert_eq!(kind(&json!("erased:7"), false), Kind::Erased);
        assert_eq!(kind(&json!("erased:x"), false), Kind::Text);
        assert_eq!(kind(&json!([1]), false), Kind::Json);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "ü".repeat(SHOWN + 1);
        let shown = cut(&text, Some("value?x")).into_string();
        assert!(shown.contains("(1 kB)"), "{shown}");
        assert_eq!(shown.matches('ü').count(), SHOWN);
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
