//! Comparison of histories in steps, so that a large ledger shows progress and a stopped
//! run can be resumed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::finding::{BrokenRecord, Finding, FindingCode};
use super::queries::{self, Audited, Found};
use super::{Progress, Verify, unchecked};
use crate::connection::AuditConnection;
use crate::error::Error;

/// The place at which a stopped verification resumes; see [`Verify::resume`]. Its text form
/// is for the command line and for files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct ResumePoint {
    table: String,
    after: Option<String>,
}

impl fmt::Display for ResumePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl FromStr for ResumePoint {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

/// The progress of [`Verify::run_in_steps`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct VerifyProgress {
    /// The current table, qualified and quoted as in SQL.
    pub table: String,
    /// The number of tables whose histories have been compared, including those before a
    /// resume point.
    pub tables_done: usize,
    /// The number of all tables whose histories are compared.
    pub tables: usize,
    /// The number of steps taken at this table.
    pub steps: u64,
    /// The number of findings so far.
    pub findings: usize,
    /// The place at which to resume if the run is stopped now.
    pub resume: ResumePoint,
}

/// The inconsistencies of a table's history, from all of its steps.
#[derive(Default)]
struct Broken(BTreeMap<String, (FindingCode, i64, Vec<BrokenRecord>)>);

impl Broken {
    fn add(&mut self, step: Vec<Found>, at_most: usize) {
        let mut counted: BTreeMap<String, i64> = BTreeMap::new();
        for found in step {
            let name = found.code.to_string();
            counted.insert(name.clone(), found.records);
            let entry = self.0.entry(name).or_insert((found.code, 0, vec![]));
            entry.2.push(found.record);
        }
        for (code, records) in counted {
            if let Some((_, total, examples)) = self.0.get_mut(&code) {
                *total += records;
                examples.sort_by_key(|record| record.change_id);
                examples.truncate(at_most.max(1));
            }
        }
    }

    fn findings(self, table: &Audited) -> impl Iterator<Item = Finding> {
        let fix = format!(
            "BEGIN; SELECT threadline.unaudit({}); {} COMMIT;",
            crate::sql::ReadableLiteral(&table.name),
            table.audit_call
        );
        let name = table.name.clone();
        self.0.into_values().map(move |(code, records, examples)| {
            let message = code.of_records(records);
            Finding {
                records,
                examples,
                ..Finding::new(code, Some(name.clone()), message, Some(fix.clone()))
            }
        })
    }
}

impl Verify<'_> {
    /// Returns the findings in the histories of tables, and the place to resume at if
    /// `progress` breaks.
    pub(super) async fn chains<C: AuditConnection>(
        &self,
        conn: &mut C,
        tables: &[Audited],
        changes: Option<u32>,
        progress: &mut Progress<'_>,
    ) -> Result<(Vec<Finding>, Option<ResumePoint>), Error> {
        let mut findings = vec![];
        for (place, table) in tables.iter().enumerate() {
            let mut after = None;
            if let Some(resume) = &self.resume {
                if place < resume_place(tables, &resume.table) {
                    continue;
                }
                if table.name == resume.table {
                    after.clone_from(&resume.after);
                }
            }
            if let Some(obstacle) = &table.obstacle {
                findings.push(unchecked(table, obstacle));
                continue;
            }
            let mut broken = Broken::default();
            for steps in 1.. {
                let up_to = match changes {
                    Some(changes) => {
                        queries::next_key(conn, &table.name, after.as_deref(), changes).await?
                    }
                    None => None,
                };
                let range = (after.as_deref(), up_to.as_deref());
                let found =
                    queries::chain_drift(conn, &table.name, self.since, self.examples, range)
                        .await?;
                broken.add(found, self.examples);
                let is_last = up_to.is_none();
                let next = tables.get(place + 1).filter(|_| is_last);
                let resume = ResumePoint {
                    table: next.unwrap_or(table).name.clone(),
                    after: up_to.clone(),
                };
                let at = VerifyProgress {
                    table: table.name.clone(),
                    tables_done: place + usize::from(is_last),
                    tables: tables.len(),
                    steps,
                    findings: findings.len() + broken.0.len(),
                    resume: resume.clone(),
                };
                let at_end = is_last && next.is_none();
                if progress(&at).is_break() && !at_end {
                    findings.extend(broken.findings(table));
                    return Ok((findings, Some(resume)));
                }
                if is_last {
                    break;
                }
                after = up_to;
            }
            findings.extend(broken.findings(table));
        }
        Ok((findings, None))
    }
}

/// Returns the index of the table at which to resume, or of the first one if it no longer
/// exists.
fn resume_place(tables: &[Audited], name: &str) -> usize {
    tables
        .iter()
        .position(|table| table.name == name)
        .unwrap_or(0)
}
