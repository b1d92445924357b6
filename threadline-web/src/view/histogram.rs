//! Changes by time, as bars that link to their time range.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use threadline::__cli::TIME_FORMAT;
use threadline::__web::Overview;

use super::links;
use super::time::exact;
use super::value::count;
use crate::query::{Query, Term};
use crate::texts;

/// The size of the drawing, in units of the SVG.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 64.0;

/// The minimum and the maximum number of steps drawn.
const FEWEST: i64 = 40;
const MOST: i64 = 120;

pub(crate) fn histogram(query: &Query, overview: &Overview) -> Markup {
    let (Some((first, _)), Some((last, _))) = (overview.times.first(), overview.times.last())
    else {
        return html! {};
    };
    let step = i64::try_from(overview.step).unwrap_or(i64::MAX).max(1);
    let steps = ((*last - *first).num_seconds() / step + 1).clamp(FEWEST, MOST);
    let width = WIDTH / steps as f64;
    let most = overview
        .times
        .iter()
        .map(|(_, n)| *n)
        .max()
        .unwrap_or(1)
        .max(1);
    let changes = match overview.changes {
        1 => texts::ONE_CHANGE,
        _ => texts::CHANGES,
    };
    let transactions = match overview.transactions {
        1 => texts::ONE_TRANSACTION,
        _ => texts::TRANSACTIONS,
    };
    // A long search is not repeated in each bar.
    let leads = query.line().len() <= links::LONG;
    let bar = |place: i64, changes: u64| {
        let height = (changes as f64 / most as f64 * (HEIGHT - 4.0)).max(2.0);
        html! {
            rect.back x={ (format!("{:.2}", place as f64 * width)) } y="0" width={ (format!("{width:.2}")) } height=(HEIGHT) {}
            rect.bar x={ (format!("{:.2}", place as f64 * width)) } y={ (format!("{:.2}", HEIGHT - height)) } width={ (format!("{:.2}", (width * 0.86).max(0.5))) } height={ (format!("{height:.2}")) } {}
        }
    };
    html! {
        figure.histogram {
            figcaption {
                @if overview.more { (texts::THE_NEWEST) " " }
                (count(overview.changes)) " " (changes) " in " (count(overview.transactions)) " " (transactions)
                span.quiet { " · " (span(*first, *last + length(step))) }
            }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="group" aria-label=(texts::BY_TIME) {
                @for (at, changes) in &overview.times {
                    @let place = (*at - *first).num_seconds() / step;
                    @if place < steps {
                        @if leads {
                            a href=(links::timeline(&within(query, *at, *at + length(step)))) {
                                title { (at.format(TIME_FORMAT)) ": " (count(*changes)) " " (if *changes == 1 { texts::ONE_CHANGE } else { texts::CHANGES }) }
                                (bar(place, *changes))
                            }
                        } @else { (bar(place, *changes)) }
                    }
                }
            }
        }
    }
}

fn length(step: i64) -> TimeDelta {
    TimeDelta::try_seconds(step).unwrap_or(TimeDelta::days(366))
}

/// Returns the instant 1 µs before another.
fn end(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant - TimeDelta::microseconds(1)
}

/// Limits a search to a time range.
fn within(query: &Query, from: DateTime<Utc>, to: DateTime<Utc>) -> Query {
    query
        .with(Term::new("from", exact(from)))
        .with(Term::new("to", exact(end(to))))
}

fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    if from.date_naive() == to.date_naive() {
        return format!(
            "{} – {} UTC",
            from.format("%d %b %Y, %H:%M:%S"),
            to.format("%H:%M:%S")
        );
    }
    format!(
        "{} – {} UTC",
        from.format("%d %b %Y"),
        to.format("%d %b %Y")
    )
}
