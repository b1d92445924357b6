//! Links to the next and to the first page.

use maud::{Markup, html};

use super::links;
use crate::texts;

/// Renders links to the first and to the next page.
pub(crate) fn pager(
    page: &str,
    parameters: &[(&str, &str)],
    after: Option<&str>,
    next: Option<&str>,
) -> Markup {
    let at = |cursor: &str| {
        let mut parameters = parameters.to_vec();
        parameters.push(("after", cursor));
        links::page(page, &parameters)
    };
    html! {
        @if after.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if after.is_some() { a rel="first" href=(links::page(page, parameters)) { "« " (texts::NEWEST) } }
                @if let Some(next) = next { a.next rel="next" href=(at(next)) { (texts::OLDER) " ›" } }
            }
        }
    }
}
