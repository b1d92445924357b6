//! From page to page.

use maud::{Markup, html};

use super::links;
use crate::texts;

/// Where the next page is, and the first.
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
                @if after.is_some() { a href=(links::page(page, parameters)) { "« " (texts::NEWEST) } }
                @if let Some(next) = next { a.next rel="next" href=(at(next)) { (texts::OLDER) " ›" } }
            }
        }
    }
}
