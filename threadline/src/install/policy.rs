use std::fmt;

use crate::model::TableSpec;
use crate::sql::{ReadableLiteral, TextArray};

/// The call that puts a policy into force, as it stands in a migration.
pub(crate) struct PolicyCall<'a>(pub(crate) &'a TableSpec);

impl fmt::Display for PolicyCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TableSpec { table, policy, .. } = self.0;
        let table = ReadableLiteral(table).to_string();
        let mut arguments = vec![table];
        if !policy.mask.is_empty() {
            arguments.push(format!("mask => {}", TextArray(&policy.mask)));
        }
        if !policy.exclude.is_empty() {
            arguments.push(format!("exclude => {}", TextArray(&policy.exclude)));
        }
        if policy.require_actor {
            arguments.push("require_actor => true".to_owned());
        }
        if !policy.only.is_empty() {
            arguments.push(format!("columns => {}", TextArray(&policy.only)));
        }
        if !policy.operations.is_empty() {
            arguments.push(format!("operations => {}", TextArray(&policy.operations)));
        }
        if let Some(when) = &policy.when {
            arguments.push(format!("condition => {}", ReadableLiteral(when)));
        }
        if !policy.clear.is_empty() {
            arguments.push(format!("clear => {}", TextArray(&policy.clear)));
        }
        if !policy.token.is_empty() {
            arguments.push(format!("token => {}", TextArray(&policy.token)));
        }
        if !policy.ignore.is_empty() {
            arguments.push(format!("ignore => {}", TextArray(&policy.ignore)));
        }
        if let Some(keep) = &policy.keep {
            arguments.push(format!("keep => {}", ReadableLiteral(keep)));
        }
        if !policy.personal.is_empty() {
            arguments.push(format!("personal => {}", TextArray(&policy.personal)));
        }
        if let Some(subject) = policy.subject_json() {
            let subject = subject.to_string();
            arguments.push(format!("subject => {}", ReadableLiteral(&subject)));
        }
        match arguments.as_slice() {
            [table] => write!(f, "SELECT threadline.audit({table});"),
            several => write!(
                f,
                "SELECT threadline.audit(\n    {}\n);",
                several.join(",\n    ")
            ),
        }
    }
}

/// The call that ends the auditing of a table.
pub(crate) fn unaudit_call(table: &str) -> String {
    format!("SELECT threadline.unaudit({});", ReadableLiteral(table))
}

/// A call of [`PolicyCall`] as a later migration takes it back: columns that it names may
/// be gone by then.
pub(crate) fn as_before(statement: &str) -> String {
    statement.replace(
        "SELECT threadline.audit(",
        "SELECT threadline.audit_as_before(",
    )
}
