//! The filters of a search, each with a link that removes it.

use maud::{Markup, html};

use super::links;
use crate::query::Query;
use crate::texts;

pub(crate) fn chips(query: &Query) -> Markup {
    html! {
        @if !query.terms.is_empty() {
            ul.chips aria-label=(texts::FILTERS) {
                @for (place, term) in query.terms.iter().enumerate() {
                    li.chip.not[term.negated] {
                        bdi { (term.written()) }
                        a href=(links::timeline(&query.without(place)))
                            aria-label={ (texts::REMOVE) " " (term.written()) } { "×" }
                    }
                }
            }
        }
    }
}
