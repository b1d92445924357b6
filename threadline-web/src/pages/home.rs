//! The home page: search forms and the health of the audit.

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use threadline::__web::{Overview, TableInfo};
use threadline::{ActionFilter, AuditAction, Counters, Filter, Health, Severity};

use super::COUNTED;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::{Query, Term};
use crate::texts;
use crate::view::links::{self, Catalogue};
use crate::view::value::{bytes, count};
use crate::view::{actions, actor, findings, histogram, layout, time};
use crate::visit::Visit;

/// The number of actions on the audit itself that are listed.
const RUNS: usize = 6;

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let models = visit.app.options.models.clone();
    let filter = Filter::new().from(visit.now - TimeDelta::days(7));
    let (catalogue, overview, health, runs) = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            let overview = audit.glance(filter, COUNTED)?;
            let health = audit.health(&models)?;
            let of_audit = ActionFilter::new().category("audit");
            let runs = audit.actions(of_audit, RUNS, None)?;
            Ok((catalogue, overview, health, runs))
        })
        .await?;
    let runs = runs.map(|page| page.entries);
    let body = html! {
        div.stack {
            h1 { (texts::WELCOME) }
            div.ways {
                (find_record(&catalogue.0))
                (find_actor(&overview))
                (find_time(visit.now))
            }
            section.stack aria-labelledby="lately" {
                h2 #lately { (texts::LAST_SEVEN_DAYS) }
                @if overview.changes == 0 { p.quiet { (texts::NO_CHANGES) } }
                (histogram::histogram(&Query::default().with(Term::new("from", "7d")), &overview))
            }
            @if let Some(health) = &health { (well(health, visit.now)) }
            @if let Some(runs) = &runs { (last_runs(runs, visit.now)) }
        }
    };
    Ok(layout::Page::new(texts::HOME)
        .active("home")
        .viewer(&visit.access)
        .body(body)
        .into_response())
}

fn find_record(tables: &[TableInfo]) -> Markup {
    html! {
        section.card {
            h2 { (texts::FIND_RECORD) }
            form.form action="record" method="get" {
                label { (texts::TABLE)
                    select name="table" required {
                        @for table in tables.iter().filter(|t| !t.key.is_empty()) {
                            option value=(table.sql_name) { (table.sql_name) " (" (table.key.join(", ")) ")" }
                        }
                    }
                }
                label { (texts::KEY) input name="key" required placeholder="42, or [\"acme\", \"7\"]" autocomplete="off" dir="auto"; }
                button.primary type="submit" { (texts::SHOW_RECORD) }
            }
        }
    }
}

fn find_actor(overview: &Overview) -> Markup {
    html! {
        section.card {
            h2 { (texts::FIND_ACTOR) }
            form.form action="actor" method="get" {
                label { (texts::ACTOR) input name="actor" required placeholder="user:57" autocomplete="off" dir="auto"; }
                button.primary type="submit" { (texts::SHOW_ACTOR) }
            }
            @if !overview.actors.is_empty() {
                p.label {
                    @if overview.more { (texts::AMONG_THE_NEWEST) " " (count(overview.changes)) " " (texts::CHANGES) }
                    @else { (texts::LATELY) }
                }
                ul.inline {
                    @for counted in overview.actors.iter().take(5) {
                        li { (actor::actor(counted.actor.as_ref())) " " span.quiet { (count(counted.changes)) } }
                    }
                }
            }
        }
    }
}

fn find_time(now: DateTime<Utc>) -> Markup {
    let ways = [
        ("1h", "Last hour"),
        ("24h", "Last 24 hours"),
        ("today", "Today"),
        ("yesterday", "Since yesterday"),
        ("monday", "Since Monday"),
    ];
    html! {
        section.card {
            h2 { (texts::FIND_TIME) }
            form.form action="timeline" method="get" {
                label { (texts::FROM_UTC) input type="datetime-local" name="from" value=((now - TimeDelta::hours(2)).format("%Y-%m-%dT%H:%M")); }
                label { (texts::TO_UTC) input type="datetime-local" name="to"; }
                button.primary type="submit" { (texts::SHOW_TIME) }
            }
            ul.inline {
                @for (from, text) in ways { li { a href=(links::search("from", from)) { (text) } } }
            }
        }
    }
}

/// Renders the health of the audit and its counters.
fn well(health: &Health, now: DateTime<Utc>) -> Markup {
    html! {
        section.card {
            h2 {
                (texts::HEALTH) " "
                @if health.healthy { span.badge.good { (texts::HEALTHY) } } @else { span.badge.bad { (texts::UNHEALTHY) } }
            }
            @if let Some(counters) = &health.counters { (figures(counters, now)) }
            (findings::list(&worth_saying(health)))
            p.quiet { a href="tables" { (texts::MORE_ABOUT_TABLES) } " · " code { "audit status" } }
        }
    }
}

fn worth_saying(health: &Health) -> Vec<&threadline::Finding> {
    let findings = health.findings.iter();
    findings
        .filter(|f| f.severity() != Severity::Info)
        .take(5)
        .collect()
}

fn figures(counters: &Counters, now: DateTime<Utc>) -> Markup {
    let share = counters.unattributed_share() * 100.0;
    html! {
        dl.figures {
            div { dt { (texts::CHANGES_LAST_DAY) } dd { (count(counters.changes_last_day.unsigned_abs())) } }
            div { dt { (texts::WITHOUT_ACTOR) } dd { a href="timeline?q=actor:nobody" { (format!("{share:.1} %")) } } }
            div { dt { (texts::WAITING) } dd { (count(counters.entries_waiting.unsigned_abs())) } }
            div { dt { (texts::LAST_POSTING) } dd { (counters.last_posting.map_or(texts::NEVER.to_owned(), |at| time::ago(at, now))) } }
            div { dt { (texts::AUDITED_TABLES) } dd { (count(counters.audited_tables.unsigned_abs())) } }
            div { dt { (texts::ON_DISK) } dd { (bytes(usize::try_from(counters.ledger_bytes).unwrap_or_default())) } }
            @if let Some(oldest) = counters.oldest_change {
                div { dt { (texts::OLDEST_CHANGE) } dd { (oldest.format("%d %b %Y")) } }
            }
        }
    }
}

fn last_runs(runs: &[AuditAction], now: DateTime<Utc>) -> Markup {
    html! {
        section.card {
            h2 { (texts::LAST_RUNS) }
            @if runs.is_empty() { p.quiet { (texts::NO_RUNS) } }
            (actions::list(runs, now))
        }
    }
}
