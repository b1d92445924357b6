//! The queries of the health check.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::result::QueryResult;
use diesel::sql_types::{Bool, Jsonb, Nullable, Text, Timestamptz};
use serde_json::{Value, json};

use super::Counters;
use crate::connection::AuditConnection;
use crate::model::{ColumnPolicy, Policy, TableSpec};
use crate::run;
use crate::verify::{Finding, FindingCode, findings};

/// A newer schema may return findings that this crate does not know. They are for newer
/// processes.
pub(super) async fn structure_drift<C: AuditConnection>(conn: &mut C) -> QueryResult<Vec<Finding>> {
    let query = diesel::sql_query("SELECT * FROM threadline.structure_drift()");
    let mut findings = findings(conn, query).await?;
    findings.retain(|finding| !matches!(finding.code, FindingCode::Unrecognized(_)));
    Ok(findings)
}

/// The audit state of a model's table.
#[derive(QueryableByName)]
pub(super) struct ModelState {
    /// The qualified name of the table, if it exists.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) name: Option<String>,
    #[diesel(sql_type = Bool)]
    pub(super) audited: bool,
    #[diesel(sql_type = Bool)]
    pub(super) same_policy: bool,
    /// The time until which the policy of the model was in force, if it has been replaced.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(super) in_force_until: Option<DateTime<Utc>>,
}

/// Returns one state for each spec, in their order.
pub(super) async fn models<C: AuditConnection>(
    conn: &mut C,
    specs: &[TableSpec],
) -> QueryResult<Vec<ModelState>> {
    if specs.is_empty() {
        return Ok(vec![]);
    }
    let asked = specs
        .iter()
        .enumerate()
        .map(|(ordinal, spec)| asked(ordinal, spec));
    let query = diesel::sql_query(include_str!("models.sql"))
        .bind::<Jsonb, _>(Value::Array(asked.collect()));
    run::load(conn, query).await
}

fn asked(ordinal: usize, spec: &TableSpec) -> Value {
    let Policy {
        column_policies: _,
        require_actor,
        columns,
        operations,
        condition,
        ignore,
        keep,
        personal,
        subject: _,
        // Not part of what is captured.
        keyless: _,
    } = &spec.policy;
    let mut asked = json!({
        "ordinal": ordinal, "table": spec.table, "require_actor": require_actor,
        "columns": columns, "operations": operations, "condition": condition, "ignore": ignore,
        "keep": keep, "personal": personal, "subject": spec.policy.subject_json(),
    });
    for policy in ColumnPolicy::ALL {
        asked[policy.as_str()] = spec.policy.columns_with(policy).into();
    }
    asked
}

pub(super) async fn counters<C: AuditConnection>(conn: &mut C) -> QueryResult<Counters> {
    let query = diesel::sql_query("SELECT * FROM threadline.counters()");
    run::one(conn, query).await
}
