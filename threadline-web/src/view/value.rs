//! Values, each rendered by its kind.

use std::io::{self, Write};

use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

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
    value_within(value, masked, whole, SHOWN)
}

/// Same as [`value`], with a number of characters that are shown.
pub(crate) fn value_within(
    value: &Value,
    masked: bool,
    whole: Option<&str>,
    characters: usize,
) -> Markup {
    html! {
        @match kind(value, masked) {
            Kind::Null => { em.null { (texts::NULL) } }
            Kind::Masked => { span.badge.masked { (texts::MASKED) } }
            Kind::Hash => {
                span.badge.masked { (texts::HASHED) }
                @if let Some(hash) = value.as_str().and_then(|t| t.get(6..14)) { " " code { (hash) "…" } }
            }
            Kind::Erased => { span.badge.erased { (texts::ERASED) } }
            Kind::Json => {
                @let (text, all) = json(value, characters);
                pre.json { (beginning(&text, all, whole, characters)) }
            }
            Kind::Number | Kind::Boolean => { span.number { (beginning(&value.to_string(), 0, whole, characters)) } }
            Kind::Text => {
                @match value.as_str() {
                    Some("") | None => { em.null { (texts::EMPTY) } }
                    Some(text) => { span.text dir="auto" { (beginning(text, text.len(), whole, characters)) } }
                }
            }
        }
    }
}

/// The depth from which a document is shown on one line: indented, it is mostly blanks.
const DEEP: usize = 12;

/// Formats a value on one line, or on several if it is longer than 60 bytes.
pub(crate) fn pretty(value: &Value) -> String {
    let mut line = vec![];
    spaced(&mut line, value);
    let line = String::from_utf8_lossy(&line).into_owned();
    if line.len() <= 60 || depth(value) > DEEP {
        return line;
    }
    serde_json::to_string_pretty(value).unwrap_or(line)
}

/// Writes a document on one line as PostgreSQL does, with a blank after commas and colons,
/// where a line can wrap.
fn spaced(out: impl Write, value: &Value) {
    struct Spaced;
    impl Formatter for Spaced {
        fn begin_array_value<W: ?Sized + Write>(
            &mut self,
            out: &mut W,
            first: bool,
        ) -> io::Result<()> {
            out.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_key<W: ?Sized + Write>(
            &mut self,
            out: &mut W,
            first: bool,
        ) -> io::Result<()> {
            out.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
            out.write_all(b": ")
        }
    }
    let mut serializer = serde_json::Serializer::with_formatter(out, Spaced);
    // Writing to memory does not fail.
    let _ = value.serialize(&mut serializer);
}

/// Returns the beginning of a document's text, and the size of the whole text in bytes.
fn json(value: &Value, characters: usize) -> (String, usize) {
    /// Keeps the beginning of what is written, and counts the rest.
    struct Beginning {
        kept: Vec<u8>,
        most: usize,
        all: usize,
    }
    impl Write for Beginning {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.most.saturating_sub(self.kept.len()).min(bytes.len());
            self.kept.extend_from_slice(&bytes[..room]);
            self.all += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut beginning = Beginning {
        kept: vec![],
        // A character has at most four bytes.
        most: (characters + 1) * 4,
        all: 0,
    };
    spaced(&mut beginning, value);
    if beginning.all <= beginning.most {
        let text = pretty(value);
        let all = text.len();
        return (text, all);
    }
    if depth(value) <= DEEP {
        beginning.kept.clear();
        beginning.all = 0;
        let _ = serde_json::to_writer_pretty(&mut beginning, value);
    }
    let text = String::from_utf8_lossy(&beginning.kept).into_owned();
    (text, beginning.all)
}

/// Returns how deep a value is nested, but not more than just beyond [`DEEP`].
fn depth(value: &Value) -> usize {
    fn within(value: &Value, left: usize) -> usize {
        let deepest = match value {
            Value::Array(_) | Value::Object(_) if left == 0 => None,
            Value::Array(items) => items.iter().map(|v| within(v, left - 1)).max(),
            Value::Object(members) => members.values().map(|v| within(v, left - 1)).max(),
            _ => return 0,
        };
        1 + deepest.unwrap_or(0)
    }
    within(value, DEEP)
}

/// Cuts a long text, and adds a link to the full one.
pub(crate) fn cut(text: &str, whole: Option<&str>) -> Markup {
    beginning(text, text.len(), whole, SHOWN)
}

/// Same as [`cut`], for the beginning of a text of `all` bytes.
fn beginning(text: &str, all: usize, whole: Option<&str>, characters: usize) -> Markup {
    let end = text.char_indices().nth(characters).map(|(at, _)| at);
    html! {
        @match end {
            None => { (text) }
            Some(end) => {
                (&text[..end]) "… "
                @if let Some(whole) = whole {
                    a.whole href=(whole) { (texts::WHOLE_VALUE) " (" (bytes(all.max(text.len()))) ")" }
                } @else {
                    span.cut { "(" (bytes(all.max(text.len()))) ")" }
                }
            }
        }
    }
}

/// Returns the beginning of a text on one line. Line breaks and tabs are shown as signs.
pub(crate) fn one_line(text: &str, characters: usize) -> String {
    let sign = |c: char| match c {
        '\n' => '↵',
        '\t' => '⇥',
        c if c.is_control() => '·',
        c => c,
    };
    let mut line: String = text.chars().take(characters).map(sign).collect();
    if text.chars().nth(characters).is_some() {
        line.push('…');
    }
    line
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
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", count(number / 1_000), number % 1_000),
    }
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

    #[test]
    fn a_document_is_cut_without_writing_it_whole() {
        let large = json!({ "a": "x".repeat(100_000) });
        let shown = value(&large, false, Some("value?x")).into_string();
        assert!(shown.contains("(100 kB)") && shown.len() < 1_000, "{shown}");
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        let short = json!({ "days": 30, "currency": ["EUR", "USD"] });
        assert_eq!(
            pretty(&short),
            r#"{"currency": ["EUR", "USD"], "days": 30}"#
        );
        assert_eq!(pretty(&deep).lines().count(), 1);
        assert_eq!(pretty(&json!({ "a": ["x".repeat(60)] })).lines().count(), 5);
    }

    #[test]
    fn a_key_is_one_line() {
        assert_eq!(one_line("a\nb\tc\u{7}", 60), "a↵b⇥c·");
        assert_eq!(
            one_line(&"ü".repeat(61), 60),
            format!("{}…", "ü".repeat(60))
        );
    }
}
