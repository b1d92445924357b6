//! The health check: its findings, its false alarms, its counters, and its cost.

#[path = "health/counters.rs"]
mod counters;
#[path = "health/deploys.rs"]
mod deploys;
#[path = "health/metrics.rs"]
mod metrics;
#[path = "health/structure.rs"]
mod structure;

use diesel::prelude::*;
use threadline::{Audited, Health, Models};

diesel::table! {
    users (id) { id -> Int8, email -> Text, }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[allow(dead_code)]
struct User;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
#[allow(dead_code)]
struct MaskedUser;

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text);";

fn health(conn: &mut PgConnection) -> Health {
    Models::new(vec![]).health(conn).unwrap()
}

/// Returns severity, code and table of each finding.
fn found(health: &Health) -> Vec<String> {
    let line = |finding: &threadline::Finding| {
        format!(
            "{} {} {}",
            finding.severity(),
            finding.code,
            finding.table.as_deref().unwrap_or("-")
        )
    };
    health.findings.iter().map(line).collect()
}
