//! Instants, exact and relative to now.

use chrono::{DateTime, Datelike, Utc};
use maud::{Markup, html};

/// Renders an instant in UTC, and how long ago it was. The script adds the instant in the
/// viewer's time zone.
pub(crate) fn instant(then: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(exact(then)) title=(long(then)) {
            span.at { (short(then, now)) " UTC" }
            " "
            span.ago { (ago(then, now)) }
        }
    }
}

/// Renders an instant in UTC with microseconds.
pub(crate) fn precise(then: DateTime<Utc>) -> Markup {
    html! { time datetime=(exact(then)) { span.at { (long(then)) } } }
}

/// Formats an instant with microseconds, for filters.
pub(crate) fn exact(then: DateTime<Utc>) -> String {
    then.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Formats an instant with microseconds, for people.
pub(crate) fn long(then: DateTime<Utc>) -> String {
    then.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
}

fn short(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let format = if then.year() == now.year() {
        "%d %b %H:%M:%S"
    } else {
        "%d %b %Y %H:%M:%S"
    };
    then.format(format).to_string()
}

/// Formats roughly how long ago an instant was.
pub(crate) fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - then).num_seconds();
    let (number, unit) = match seconds {
        ..0 => return "in the future".to_owned(),
        0..5 => return "just now".to_owned(),
        5..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..172_800 => (seconds / 3600, "h"),
        _ if seconds < 86_400 * 60 => (seconds / 86_400, "days"),
        _ if seconds < 86_400 * 730 => (seconds / (86_400 * 30), "months"),
        _ => (seconds / (86_400 * 365), "years"),
    };
    format!("{number} {unit} ago")
}
