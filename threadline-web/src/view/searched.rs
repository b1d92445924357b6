//! The note that a search ended before the oldest change.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::time;
use crate::texts;

pub(crate) fn note(searched_to: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    html! {
        @if let Some(to) = searched_to {
            p.quiet role="status" {
                (texts::SEARCHED_TO) " " (time::instant(to, now)) ". " (texts::SEARCH_GOES_ON)
            }
        }
    }
}
