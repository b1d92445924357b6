//! The comparison of two states of a record.

use std::collections::HashMap;

use maud::{Markup, html};
use threadline::__cli::TIME_FORMAT;
use threadline::__web::TableInfo;

use super::{Asked, COMPARED, Found, Point, State, is_masked};
use crate::texts;
use crate::view::detail::Detail;
use crate::view::time;
use crate::view::value::{one_line, value_within};

/// Renders the columns in which two states differ.
pub(super) fn compared(
    asked: &Asked,
    table: &TableInfo,
    one: &State,
    other: &State,
    detail: Detail,
) -> Markup {
    let shown = |column: &str, state: &State| {
        html! {
            @match state.as_ref().ok().and_then(|image| image.get(column)) {
                Some(shown) => { (value_within(shown, is_masked(table, column), None, detail.characters)) }
                None => { em.null { (texts::ABSENT) } }
            }
        }
    };
    let point = |point: Point| {
        html! { @match point { Some(at) => { (time::precise(at)) } None => { (texts::NOW) } } }
    };
    let (from, to) = asked.compare.unwrap_or_default();
    let of = |state: &State, column: &str| state.as_ref().ok().and_then(|i| i.get(column).cloned());
    let mut columns: Vec<&str> = [one, other]
        .into_iter()
        .filter_map(|state| state.as_ref().ok()?.as_object())
        .flat_map(|image| image.keys().map(String::as_str))
        .filter(|column| of(one, column) != of(other, column))
        .collect();
    let places: HashMap<&str, usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(n, c)| (c.0.as_str(), n))
        .collect();
    columns.sort_by_key(|column| (places.get(column).copied().unwrap_or(usize::MAX), *column));
    columns.dedup();
    let most = match detail.columns {
        20.. => COMPARED,
        fewer => fewer * 10,
    };
    html! {
        @for (point, state) in [(from, one), (to, other)] {
            @if let Err(reason) = state { p.quiet { (point_text(point)) ": " (reason) "." } }
        }
        @if columns.is_empty() { p { (texts::THE_SAME) } } @else {
            div.wide {
                table.diff.compared {
                    thead { tr { th scope="col" { (texts::COLUMN) } th scope="col" { (point(from)) } th scope="col" { (point(to)) } } }
                    tbody {
                        @for column in columns.iter().take(most) {
                            tr {
                                th scope="row" { bdi { (column) } }
                                td.was { (shown(column, one)) }
                                td.is { (shown(column, other)) }
                            }
                        }
                    }
                }
            }
        }
        @if columns.len() > most { p.quiet { (texts::AND) " " (columns.len() - most) " " (texts::MORE_COLUMNS) } }
    }
}

fn point_text(point: Point) -> String {
    point.map_or_else(|| texts::NOW.to_owned(), time::long)
}

/// Renders the form that compares two instants.
pub(super) fn compare(asked: &Asked, found: &Found) -> Markup {
    // At first, the last change is compared: the state before it with the state now.
    let (from, to) = asked
        .compare
        .unwrap_or((found.points.get(1).copied(), None));
    let point = |name: &str, label: &str, chosen: Point| {
        let known = chosen.is_none_or(|chosen| found.points.contains(&chosen));
        html! {
            label { (label)
                select name=(name) {
                    option value="now" { (texts::NOW) }
                    @if let (false, Some(at)) = (known, chosen) {
                        option value=(time::exact(at)) selected { (time::long(at)) }
                    }
                    @for (entry, at) in found.entries.iter().zip(&found.points) {
                        option value=(time::exact(*at)) selected[Some(*at) == chosen] {
                            (entry.change.captured_at.format(TIME_FORMAT)) ", " (entry.change.operation)
                            @if let Some(actor) = entry.change.actor() { " " (texts::BY) " " (one_line(&actor.to_string(), 40)) }
                        }
                    }
                }
            }
        }
    };
    html! {
        @if found.entries.len() > 1 {
            section.card.no-print {
                h2 { (texts::COMPARE) }
                form.form action="record" method="get" {
                    input type="hidden" name="table" value=(asked.table);
                    input type="hidden" name="key" value=(asked.key);
                    (point("one", texts::BEFORE, from))
                    (point("other", texts::AFTER, to))
                    button type="submit" { (texts::COMPARE) }
                }
            }
        }
    }
}
