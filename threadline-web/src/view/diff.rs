//! The differences of a change, column by column.

use maud::{Markup, html};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use threadline::{AuditChange, FieldDiff};

use super::links;
use super::value::{self, Kind, kind, value};
use crate::texts;

/// The length in bytes up to which texts are compared word by word.
const COMPARED: usize = 4_000;

/// Renders at most `limit` columns of a change, and a link to the rest.
pub(crate) fn diff(change: &AuditChange, limit: usize, rest: &str) -> Markup {
    let fields = change.diff().fields;
    let two_sides = fields
        .iter()
        .any(|field| field.before.is_some() && field.after.is_some());
    let more = fields.len().saturating_sub(limit);
    html! {
        table.diff {
            thead.hidden {
                tr {
                    th scope="col" { (texts::COLUMN) }
                    @if two_sides {
                        th scope="col" { (texts::BEFORE) }
                        th scope="col" { (texts::AFTER) }
                    } @else {
                        th scope="col" { (if change.row_data.is_some() && fields.iter().all(|f| f.after.is_none()) { texts::BEFORE } else { texts::AFTER }) }
                    }
                }
            }
            tbody {
                @for field in fields.iter().take(limit) {
                    tr {
                        th scope="row" { bdi { (field.column) } }
                        (sides(change, field, two_sides))
                    }
                }
            }
        }
        @if more > 0 {
            p.more { a href=(rest) { (more) " " (texts::MORE_COLUMNS) } }
        }
    }
}

fn sides(change: &AuditChange, field: &FieldDiff, two_sides: bool) -> Markup {
    let masked = change.masked.contains(&field.column);
    let side = |side: &'static str| links::value(change, &field.column, side);
    let shown = |what: &Value, which: &'static str| value(what, masked, Some(&side(which)));
    html! {
        @match (&field.before, &field.after) {
            (Some(before), Some(after)) => {
                @match words(before, after, masked) {
                    Some((was, is)) => { td.was { (was) } td.is { (is) } }
                    None => { td.was { (shown(before, "before")) } td.is { (shown(after, "after")) } }
                }
            }
            (Some(before), None) if two_sides => { td.was { (shown(before, "before")) } td.is { em.null { (texts::ABSENT) } } }
            (None, Some(after)) if two_sides => { td.was { em.null { (texts::ABSENT) } } td.is { (shown(after, "after")) } }
            (Some(before), None) => { td.was { (shown(before, "before")) } }
            (None, Some(after)) => { td.is { (shown(after, "after")) } }
            (None, None) => { td {} }
        }
    }
}

/// Marks the differences of two long texts or documents; returns `None` if they are shown
/// unmarked.
fn words(before: &Value, after: &Value, masked: bool) -> Option<(Markup, Markup)> {
    let (was, is) = match (kind(before, masked), kind(after, masked)) {
        (Kind::Text, Kind::Text) => (before.as_str()?.to_owned(), after.as_str()?.to_owned()),
        (Kind::Json, Kind::Json) => (value::pretty(before), value::pretty(after)),
        _ => return None,
    };
    let short = was.len() < 24 && is.len() < 24;
    if short || was.len() > COMPARED || is.len() > COMPARED {
        return None;
    }
    let diff = TextDiff::from_words(&was, &is);
    // If nearly every word differs, marks do not help.
    if diff.ratio() < 0.2 {
        return None;
    }
    let json = matches!(before, Value::Array(_) | Value::Object(_));
    let side = |mark: ChangeTag| {
        html! {
            @for change in diff.iter_all_changes() {
                @if change.tag() == ChangeTag::Equal {
                    (change.value())
                } @else if change.tag() == mark {
                    @if mark == ChangeTag::Delete { del { (change.value()) } } @else { ins { (change.value()) } }
                }
            }
        }
    };
    let marked = |mark| {
        html! {
            @if json { pre.json { (side(mark)) } } @else { span.text dir="auto" { (side(mark)) } }
        }
    };
    Some((marked(ChangeTag::Delete), marked(ChangeTag::Insert)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn marked(before: Value, after: Value) -> Option<(String, String)> {
        words(&before, &after, false).map(|(was, is)| (was.into_string(), is.into_string()))
    }

    #[test]
    fn words_of_long_texts_are_marked() {
        let (was, is) = marked(
            json!("Please pay within <30> days of the invoice"),
            json!("Please pay within <14> days of the invoice"),
        )
        .unwrap();
        assert!(was.contains("<del>&lt;30&gt;</del>"), "{was}");
        assert!(is.contains("<ins>&lt;14&gt;</ins>"), "{is}");
        assert!(!was.contains("<ins>") && !is.contains("<del>"));
    }

    #[test]
    fn members_of_documents_are_marked() {
        let (was, is) = marked(
            json!({"address": {"city": "London", "street": "Baker Street"}, "rooms": [1, 2, 3]}),
            json!({"address": {"city": "Leeds", "street": "Baker Street"}, "rooms": [1, 2, 3]}),
        )
        .unwrap();
        assert!(was.contains("London") && was.contains("<del>"), "{was}");
        assert!(is.contains("Leeds") && is.contains("<ins>"), "{is}");
    }

    #[test]
    fn short_and_foreign_texts_are_shown_as_they_are() {
        assert_eq!(marked(json!("open"), json!("paid")), None);
        assert_eq!(marked(json!(1), json!(2)), None);
        assert_eq!(
            marked(json!("a ".repeat(COMPARED)), json!("a ".repeat(COMPARED))),
            None
        );
    }
}
