//! Columns whose names suggest a secret and that have no explicit policy.

use super::Verify;
use super::finding::{Finding, FindingCode};
use super::queries::{self, UnsaidColumn};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::model::TableSpec;

impl Verify<'_> {
    pub(super) async fn secret_findings<C: AuditConnection>(
        &self,
        conn: &mut C,
        only: Option<&str>,
    ) -> Result<Vec<Finding>, Error> {
        let unsaid = queries::unsaid_columns(conn, only).await?;
        if unsaid.is_empty() {
            return Ok(vec![]);
        }
        let mut specs = vec![];
        for spec in self.models.specs() {
            specs.push((queries::qualified(conn, &spec.table).await?, spec));
        }
        let of_table = |table: &str| {
            let spec = specs
                .iter()
                .find(|(name, _)| name.as_deref() == Some(table));
            spec.map(|&(_, spec)| spec)
        };
        Ok(unsaid
            .into_iter()
            .filter_map(|unsaid| finding(of_table(&unsaid.name), unsaid))
            .collect())
    }
}

fn finding(spec: Option<&TableSpec>, unsaid: UnsaidColumn) -> Option<Finding> {
    let UnsaidColumn {
        name,
        column,
        is_key,
        is_recorded,
        fix,
    } = unsaid;
    let recorded = if is_recorded {
        "its values are recorded"
    } else {
        "its values are not recorded until then"
    };
    let ways = if is_key {
        format!("hash({column}) or plain({column})")
    } else {
        format!("exclude({column}), mask({column}), hash({column}) or plain({column})")
    };
    let (advice, fix) = match spec {
        // The model's policy is not in force, which is a finding of its own.
        Some(spec) if spec.policy.decides(&column) => return None,
        Some(TableSpec {
            file: Some(file), ..
        }) => (
            format!(
                "name it in exclude, mask, hash or plain of {file}, and run `threadline audit`"
            ),
            None,
        ),
        Some(spec) if spec.columns.contains(&column) => (
            format!(
                "declare {ways} in #[audited(...)] of model `{}`, then generate and run migrations",
                spec.model
            ),
            None,
        ),
        Some(spec) => (
            format!(
                "model `{}` does not contain it; run `diesel print-schema`, and declare {ways} in #[audited(...)]",
                spec.model
            ),
            None,
        ),
        None if is_key => (
            "name it in threadline.audit(..., hash => ...), or in plain if it is no secret"
                .to_owned(),
            None,
        ),
        None => (
            "exclude it, or name it in mask, hash or plain".to_owned(),
            Some(fix),
        ),
    };
    let message = format!(
        "column {column} needs an explicit policy, because its name suggests a secret ({recorded}): {advice}"
    );
    Some(Finding::new(
        FindingCode::SecretLooking,
        Some(name),
        message,
        fix,
    ))
}
