//! Facets that narrow a search, with counts.

use maud::{Markup, html};
use threadline::__web::Overview;

use super::links::{self, Catalogue};
use super::value::{count, one_line};
use crate::query::{Query, Term};
use crate::texts;

/// The number of values that a facet lists.
const LISTED: usize = 12;

/// The number of characters of a value that a facet shows.
const SHOWN: usize = 60;

struct Value {
    term: Option<Term>,
    text: String,
    changes: u64,
}

pub(crate) fn facets(query: &Query, overview: &Overview, catalogue: &Catalogue) -> Markup {
    let tables = overview.tables.iter().map(|table| {
        let info = catalogue.of(table.schema.as_deref(), table.table.as_deref());
        Value {
            term: info.map(|info| Term::new("table", &info.sql_name)),
            text: info.map_or("?".to_owned(), |info| info.sql_name.clone()),
            changes: table.changes,
        }
    });
    let operations = overview.operations.iter().map(|operation| Value {
        term: Some(Term::new("operation", operation.operation.as_str())),
        text: operation.operation.to_string(),
        changes: operation.changes,
    });
    let actors = overview.actors.iter().map(|actor| match &actor.actor {
        Some(actor_ref) => Value {
            term: Some(Term::new("actor", actor_ref.to_string())),
            text: actor_ref.to_string(),
            changes: actor.changes,
        },
        None => Value {
            term: Some(Term::new("actor", texts::NOBODY)),
            text: texts::NOBODY.to_owned(),
            changes: actor.changes,
        },
    });
    let sources = overview.sources.iter().map(|(source, changes)| Value {
        term: source.as_ref().map(|source| Term::new("source", source)),
        text: source.clone().unwrap_or(texts::NO_SOURCE.to_owned()),
        changes: *changes,
    });
    html! {
        @if overview.more {
            p.quiet { (texts::COUNTED_IN) " " (count(overview.changes)) " " (texts::CHANGES) "." }
        }
        (facet(texts::TABLES, query, tables.collect(), overview.changes))
        (facet(texts::OPERATIONS, query, operations.collect(), overview.changes))
        (facet(texts::ACTORS, query, actors.collect(), overview.changes))
        (facet(texts::SOURCES, query, sources.collect(), overview.changes))
    }
}

fn facet(title: &str, query: &Query, values: Vec<Value>, all: u64) -> Markup {
    // A long search is not repeated in each link.
    let leads = query.line().len() <= links::LONG;
    html! {
        @if !values.is_empty() {
            section.facet {
                h2 { (title) }
                ul {
                    @for value in values.iter().take(LISTED) {
                        li {
                            @match &value.term {
                                Some(term) if leads => {
                                    a href=(links::timeline(&query.with(term.clone()))) title=(value.text) { bdi { (one_line(&value.text, SHOWN)) } }
                                    a.except href=(links::timeline(&query.with(term.clone().not())))
                                        aria-label={ (texts::EXCEPT) " " (value.text) } title={ (texts::EXCEPT) " " (value.text) } { "−" }
                                }
                                _ => { span.quiet { bdi { (one_line(&value.text, SHOWN)) } } }
                            }
                            span.count { (count(value.changes)) }
                            meter min="0" max=(all.max(1)) value=(value.changes) aria-hidden="true" {}
                        }
                    }
                }
                @if values.len() > LISTED { p.quiet { "and " (count((values.len() - LISTED) as u64)) " " (texts::MORE_VALUES) } }
            }
        }
    }
}
