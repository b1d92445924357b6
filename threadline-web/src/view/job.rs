//! Exports in the background.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::value::{bytes, count};
use super::{links, time};
use crate::assets::EXPORT_SCRIPT;
use crate::exports::{Job, State};
use crate::texts;

/// Returns the name of a state, for the script and for programs.
pub(crate) fn name(state: &State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Counting => "counting",
        State::Writing(_) => "writing",
        State::Done { .. } => "done",
        State::Failed(_) => "failed",
        State::Cancelled => "cancelled",
    }
}

fn title(state: &State) -> &'static str {
    match state {
        State::Waiting => texts::EXPORT_WAITING,
        State::Counting => texts::EXPORT_COUNTING,
        State::Writing(_) => texts::EXPORT_WRITING,
        State::Done { .. } => texts::EXPORT_DONE,
        State::Failed(_) => texts::EXPORT_FAILED,
        State::Cancelled => texts::EXPORT_CANCELLED,
    }
}

/// Renders an export with what can be done about it. The script replaces the progress, and the
/// whole card when the state changes.
pub(crate) fn card(job: &Job, now: DateTime<Utc>) -> Markup {
    let state = job.state();
    html! {
        section.card.stack #export-job data-state=(name(&state)) data-open[state.is_open()] {
            h2 { (title(&state)) }
            (progress(job, &state))
            @match &state {
                State::Failed(failure) => {
                    @let (title, message) = failure.message();
                    p { strong { (title) } ". " (message) }
                    p { (texts::NOTHING_OFFERED) }
                }
                State::Cancelled => p { (texts::NOTHING_OFFERED) },
                State::Done { until, .. } => p { (texts::REMOVED_AT) " " (time::instant(*until, now)) },
                _ => p.quiet { (texts::GOES_ON) },
            }
            div.bar-row {
                @if let State::Done { .. } = state {
                    a.button.primary href=(links::page("export-file", &[("id", &job.id)])) download { (texts::DOWNLOAD) }
                }
                @if state.is_open() {
                    a.button href=(links::page("export-job", &[("id", &job.id)])) { (texts::REFRESH) }
                }
                form action="export-job" method="post" {
                    input type="hidden" name="id" value=(job.id);
                    @if state.is_open() {
                        button type="submit" name="step" value="cancel" { (texts::CANCEL_EXPORT) }
                    } @else {
                        button type="submit" name="step" value="remove" { (texts::REMOVE_EXPORT) }
                    }
                }
            }
        }
    }
}

fn progress(job: &Job, state: &State) -> Markup {
    let (changes, size) = job.written();
    let total = match state {
        State::Writing(total) => *total,
        State::Done { changes, .. } => Some(*changes),
        _ => None,
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    html! {
        div #export-progress {
            @if let State::Writing(_) = state {
                progress aria-label=(texts::EXPORT_WRITING) max=[total] value=[total.map(|_| changes)] {}
            }
            @if let State::Writing(_) | State::Done { .. } = state {
                p {
                    (count(changes))
                    @if let Some(total) = total.filter(|_| state.is_open()) { " " (texts::OF) " " (count(total)) }
                    " " (texts::CHANGES) ", " (bytes(size))
                }
            }
        }
    }
}

/// Renders the exports of a viewer.
pub(crate) fn list(jobs: &[Arc<Job>], now: DateTime<Utc>) -> Markup {
    html! {
        section.card {
            h2 { (texts::YOUR_EXPORTS) }
            table.list {
                thead { tr { th scope="col" { (texts::EXPORT_BEGUN) } th scope="col" { (texts::FOUND_BY) } th scope="col" { (texts::EXPORT_STATE) } } }
                tbody {
                    @for job in jobs {
                        tr {
                            td { a href=(links::page("export-job", &[("id", &job.id)])) { (time::instant(job.begun_at, now)) } }
                            td { @if job.line.is_empty() { (texts::EVERYTHING) } @else { code { bdi { (job.line) } } } }
                            td { (title(&job.state())) }
                        }
                    }
                }
            }
        }
    }
}

/// Renders the script that follows the progress, and the place where it says a new state to
/// screen readers.
pub(crate) fn script() -> Markup {
    html! {
        p.hidden #export-status role="status" {}
        script src=(EXPORT_SCRIPT.path()) defer {}
    }
}
