//! The differences of a change, column by column.

use maud::{Markup, html};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use threadline::{AuditChange, FieldDiff, Operation};

use super::detail::Detail;
use super::links::{self, Catalogue};
use super::value::{self, Kind, kind, value_within};
use crate::texts;

/// The length in bytes up to which texts are compared word by word.
const COMPARED: usize = 4_000;

/// Renders the columns of a change in the order of the table, from a place on, and a link to
/// the others.
pub(crate) fn diff(
    change: &AuditChange,
    catalogue: &Catalogue,
    from: usize,
    detail: Detail,
) -> Markup {
    let mut fields = change.diff().fields;
    catalogue.order(change, &mut fields, |field| &field.column);
    let two_sides = fields
        .iter()
        .any(|field| field.before.is_some() && field.after.is_some());
    let shown = fields.iter().skip(from).take(detail.columns);
    let more = fields.len().saturating_sub(from + detail.columns);
    let folds = more > 0 || !detail.links && fields.iter().any(|field| is_long(field, detail));
    html! {
        @if fields.is_empty() && change.operation == Operation::Update { p.quiet { (texts::NOTHING_DIFFERS) } }
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
                @for field in shown {
                    tr {
                        th scope="row" { bdi { (field.column) } }
                        (sides(change, field, two_sides, detail))
                    }
                }
            }
        }
        @if from == 0 && folds {
            p.more {
                a href=(links::change(change)) {
                    @if more > 0 { (more) " " (if more == 1 { texts::MORE_COLUMN } else { texts::MORE_COLUMNS }) }
                    @else { (texts::WHOLE_CHANGE) }
                }
            }
        }
    }
}

/// Returns whether a value of the field is cut.
fn is_long(field: &FieldDiff, detail: Detail) -> bool {
    let sides = [&field.before, &field.after];
    sides.into_iter().flatten().any(|value| match value {
        Value::String(text) => text.chars().nth(detail.characters).is_some(),
        Value::Array(_) | Value::Object(_) => true,
        _ => false,
    })
}

fn sides(change: &AuditChange, field: &FieldDiff, two_sides: bool, detail: Detail) -> Markup {
    let masked = change.masked.contains(&field.column);
    let side = |side: &'static str| links::value(change, &field.column, side);
    let shown = |what: &Value, which: &'static str| {
        let whole = detail.links.then(|| side(which));
        value_within(what, masked, whole.as_deref(), detail.characters)
    };
    html! {
        @match (&field.before, &field.after) {
            (Some(before), Some(after)) => {
                @match words(before, after, masked, detail.characters.saturating_mul(4).min(COMPARED)) {
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

/// Marks the differences of two texts or documents of at most `most` bytes; returns `None` if
/// they are shown unmarked.
fn words(before: &Value, after: &Value, masked: bool, most: usize) -> Option<(Markup, Markup)> {
    let (was, is) = match (kind(before, masked), kind(after, masked)) {
        (Kind::Text, Kind::Text) => {
            let (was, is) = (before.as_str()?, after.as_str()?);
            if was.len() > most || is.len() > most {
                return None;
            }
            (was.to_owned(), is.to_owned())
        }
        (Kind::Json, Kind::Json) => (value::pretty(before), value::pretty(after)),
        _ => return None,
    };
    let short = was.len() < 24 && is.len() < 24;
    if short || was.len() > most || is.len() > most {
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
        words(&before, &after, false, COMPARED)
            .map(|(was, is)| (was.into_string(), is.into_string()))
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
