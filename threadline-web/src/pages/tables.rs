//! Audited tables, findings, retention and legal holds.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use threadline::__web::{HoldInForce, TableInfo};
use threadline::{Finding, Health, Models};

use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::view::links::{self, Catalogue};
use crate::view::{findings, layout, time};
use crate::visit::Visit;

/// The number of columns that are named by policy.
const NAMED: usize = 20;

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    page(&visit, None).await
}

/// Verifies the whole audit and shows the findings. It changes nothing, but it is a form and
/// not a link because it takes long.
pub(crate) async fn verify<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let models = visit.app.options.models.clone();
    let verification = visit
        .read(move |audit| audit.verify(&models))
        .await?
        .ok_or(Failure::Denied)?;
    page(&visit, Some(verification.findings)).await
}

async fn page<P: Pool>(
    visit: &Visit<P>,
    verified: Option<Vec<Finding>>,
) -> Result<Response, Failure> {
    let models = visit.app.options.models.clone();
    let (catalogue, health, keeping) = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            Ok((catalogue, audit.health(&models)?, audit.keeping()?))
        })
        .await?;
    let operates = visit.access.may_operate();
    let body = html! {
        div.stack {
            h1 { (texts::TABLES) }
            @if let Some(found) = &verified {
                section.card #verified {
                    h2 { (texts::VERIFIED) }
                    @if found.is_empty() { p { span.badge.good { "ok" } " " (texts::WHOLE) } }
                    (findings::list(&found.iter().collect::<Vec<_>>()))
                }
            }
            @if let Some(health) = &health { (state(health, &visit.app.options.models)) }
            section.card { (list(&catalogue.0, &keeping.terms, operates, visit.now)) }
            @if operates { (held(&keeping.holds, visit.now)) }
        }
    };
    Ok(layout::Page::new(texts::TABLES)
        .active("tables")
        .viewer(&visit.access)
        .body(body)
        .into_response())
}

/// Renders the findings about policies and triggers.
fn state(health: &Health, models: &Models) -> Markup {
    html! {
        section.card {
            h2 {
                (texts::POLICIES) " "
                @if health.healthy { span.badge.good { (texts::HEALTHY) } } @else { span.badge.bad { (texts::UNHEALTHY) } }
            }
            @if models.specs().is_empty() { p.quiet { (texts::NO_MODELS) } }
            (findings::list(&health.findings.iter().collect::<Vec<_>>()))
            form.no-print action="verify" method="post" {
                button type="submit" { (texts::VERIFY) } " " span.quiet { code { "audit verify" } }
            }
        }
    }
}

fn list(
    tables: &[TableInfo],
    terms: &BTreeMap<i32, String>,
    operates: bool,
    now: DateTime<Utc>,
) -> Markup {
    html! {
        @if tables.is_empty() { p { (texts::NO_TABLES) } }
        div.wide {
            table.list {
                thead {
                    tr {
                        th scope="col" { (texts::TABLE) }
                        th scope="col" { (texts::KEY) }
                        th scope="col" { (texts::COLUMNS) }
                        th scope="col" { (texts::AUDITED_SINCE) }
                        @if operates { th scope="col" { (texts::KEPT_FOR) } }
                    }
                }
                tbody {
                    @for table in tables {
                        tr {
                            td { a.record href=(links::search("table", &table.sql_name)) { bdi.table { (table.sql_name) } } }
                            td data-label=(texts::KEY) { code { bdi { (table.key.join(", ")) } } }
                            td data-label=(texts::COLUMNS) { (columns(table)) }
                            td data-label=(texts::AUDITED_SINCE) {
                                (time::instant(table.since, now))
                                @if let Some(until) = table.until {
                                    " " span.badge.warning { (texts::AUDIT_ENDED) } " " (time::instant(until, now))
                                }
                            }
                            @if operates { td data-label=(texts::KEPT_FOR) { (terms.get(&table.id).map_or(texts::FOR_EVER, String::as_str)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Renders the number of columns, and those with a column policy.
fn columns(table: &TableInfo) -> Markup {
    let treated = |column_policy: &str| {
        let names = table.columns.iter().filter(|(_, t)| t == column_policy);
        let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        let more = names.len().saturating_sub(NAMED);
        let mut text = names[..names.len() - more].join(", ");
        if more > 0 {
            text.push_str(&format!(" {} {more} {}", texts::AND, texts::MORE_COLUMNS));
        }
        text
    };
    let kinds = [
        ("mask", texts::MASKED),
        ("hash", texts::HASHED),
        ("exclude", texts::EXCLUDED),
    ];
    html! {
        (table.columns.len())
        @for (column_policy, word) in kinds {
            @let names = treated(column_policy);
            @if !names.is_empty() { " · " span.badge.masked { (word) } " " bdi { (names) } }
        }
    }
}

fn held(holds: &[HoldInForce], now: DateTime<Utc>) -> Markup {
    html! {
        section.card {
            h2 { (texts::HOLDS) }
            @if holds.is_empty() { p.quiet { (texts::NO_HOLDS) } }
            ul {
                @for hold in holds {
                    li {
                        bdi { (hold.what) } ": " q.reason dir="auto" { (hold.reason) } " "
                        span.quiet { (time::instant(hold.placed_at, now)) ", " bdi { (hold.placed_by) } }
                    }
                }
            }
        }
    }
}
