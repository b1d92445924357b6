use std::fmt;

use crate::model::TableSpec;
use crate::sql::{ReadableLiteral, TextArray};

/// The call that puts a policy into force, as it stands in a migration.
pub(crate) struct PolicyCall<'a>(pub(crate) &'a TableSpec);

impl fmt::Display for PolicyCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TableSpec { table, policy, .. } = self.0;
        write!(f, "SELECT threadline.audit(\n    {}", ReadableLiteral(table))?;
        if !policy.mask.is_empty() {
            write!(f, ",\n    mask => {}", TextArray(&policy.mask))?;
        }
        if !policy.exclude.is_empty() {
            write!(f, ",\n    exclude => {}", TextArray(&policy.exclude))?;
        }
        if policy.require_actor {
            write!(f, ",\n    require_actor => true")?;
        }
        f.write_str("\n);")
    }
}

/// The call that ends the auditing of a table.
pub(crate) fn unaudit_call(table: &str) -> String {
    format!("SELECT threadline.unaudit({});", ReadableLiteral(table))
}
