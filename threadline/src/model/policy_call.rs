use std::fmt;
use std::ops::Range;

use super::{ColumnPolicy, TableSpec};
use crate::sql::{ReadableLiteral, TextArray};

/// The line before a policy that redacts: the columns of the table at the time of the
/// decision which of them are secret.
pub(crate) const COLUMNS: &str = "-- Columns:";

/// The call that puts a policy into force, as written in a migration. For a model, the
/// check for secrets runs when the migration is generated, so that a later version with
/// more secret names changes no migration. For a table without a model, only the database
/// can check.
pub(crate) struct PolicyCall<'a>(pub(crate) &'a TableSpec);

impl fmt::Display for PolicyCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TableSpec {
            table,
            policy,
            file,
            ..
        } = self.0;
        let function = match file {
            None => "audit_as_decided",
            Some(_) => "audit",
        };
        let mut arguments = vec![ReadableLiteral(table).to_string()];
        for of_column in ColumnPolicy::ALL {
            arguments.extend(list(of_column.as_str(), &policy.columns_with(of_column)));
        }
        let flag = |name: &str, is_set: bool| is_set.then(|| format!("{name} => true"));
        let text = |name: &str, text: Option<&str>| {
            text.map(|text| format!("{name} => {}", ReadableLiteral(text)))
        };
        let subject = policy.subject_json().map(|subject| subject.to_string());
        let others = [
            flag("require_actor", policy.require_actor),
            flag("keyless", policy.keyless),
            list("columns", &policy.columns),
            list("operations", &policy.operations),
            text("condition", policy.condition.as_deref()),
            list("ignore", &policy.ignore),
            text("keep", policy.keep.as_deref()),
            list("personal", &policy.personal),
            text("subject", subject.as_deref()),
        ];
        arguments.extend(others.into_iter().flatten());
        match arguments.as_slice() {
            [table] => write!(f, "SELECT threadline.{function}({table});"),
            several => write!(
                f,
                "SELECT threadline.{function}(\n    {}\n);",
                several.join(",\n    ")
            ),
        }
    }
}

/// Returns an argument with these names, unless there are none.
fn list(argument: &str, names: &[impl AsRef<str>]) -> Option<String> {
    (!names.is_empty()).then(|| format!("{argument} => {}", TextArray(names)))
}

/// Returns the call that ends the audit of a table.
pub(crate) fn unaudit_call(table: &str) -> String {
    format!("SELECT threadline.unaudit({});", ReadableLiteral(table))
}

/// Returns the call that ends an audit which began with the migration that is reverted.
pub(crate) fn unaudit_as_before_call(table: &str) -> String {
    format!(
        "SELECT threadline.unaudit_as_before({});",
        ReadableLiteral(table)
    )
}

/// Returns a call of [`PolicyCall`], after its line of columns, in the form in which a
/// later migration reverts to it: columns and the table that it names may no longer exist
/// by then, and the columns that came since are passed over.
pub(crate) fn as_before(statement: &str) -> String {
    let mut call = statement.replace(
        "SELECT threadline.audit_as_decided(",
        "SELECT threadline.audit_as_before(",
    );
    if let Some(former) = continues(&call).map(|at| at.former) {
        let name = call[former.clone()].to_owned();
        call.replace_range(former, &format!("to_regclass({name})"));
    }
    let columns = statement
        .lines()
        .find_map(|line| line.strip_prefix(COLUMNS));
    if let (Some(columns), Some(arguments)) = (columns, call.strip_suffix(");")) {
        let columns: Vec<&str> = columns.trim().split(", ").collect();
        let known = format!("known => {}", TextArray(&columns));
        call = match arguments.strip_suffix('\n') {
            Some(arguments) => format!("{arguments},\n    {known}\n);"),
            None => format!("{arguments}, {known});"),
        };
    }
    call
}

/// Returns a call without the table whose history it continues: this happens once, and is
/// not part of the policy.
pub(crate) fn without_continues(statement: &str) -> String {
    let mut call = statement.to_owned();
    if let Some(at) = continues(statement) {
        call.replace_range(at.comma..at.former.end, "");
    }
    call
}

/// Returns a call with the table whose history it continues.
pub(crate) fn with_continues(statement: &str, former: &str) -> String {
    let argument = format!("continues => {}", ReadableLiteral(former));
    match statement.strip_suffix("\n);") {
        Some(call) => format!("{call},\n    {argument}\n);"),
        None => {
            let call = statement.strip_suffix(");").unwrap_or(statement);
            format!("{call}, {argument});")
        }
    }
}

struct Continues {
    /// The comma before the argument.
    comma: usize,
    /// The literal with the name of the table.
    former: Range<usize>,
}

/// Finds the argument that a user added to a call: `, continues => 'orders_old'`.
fn continues(statement: &str) -> Option<Continues> {
    const ARGUMENT: &str = "continues => ";
    let name = statement.find("continues => '")?;
    let comma = statement[..name].trim_end().strip_suffix(',')?.len();
    let from = name + ARGUMENT.len();
    let mut quotes = 0;
    let length = statement[from..].find(|c| {
        quotes += usize::from(c == '\'');
        quotes % 2 == 0 && c != '\''
    })?;
    Some(Continues {
        comma,
        former: from..from + length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_continues_a_history_is_taken_back_when_the_former_table_is_gone() {
        let call = "SELECT threadline.audit_as_decided(\n    '\"orders\"',\n    mask => ARRAY['a'],\n    continues => 'the ''old'' one',\n    keep => '1 year'\n);";
        assert_eq!(
            as_before(call),
            "SELECT threadline.audit_as_before(\n    '\"orders\"',\n    mask => ARRAY['a'],\n    continues => to_regclass('the ''old'' one'),\n    keep => '1 year'\n);"
        );
        assert_eq!(
            without_continues(call),
            "SELECT threadline.audit_as_decided(\n    '\"orders\"',\n    mask => ARRAY['a'],\n    keep => '1 year'\n);"
        );
        assert_eq!(
            as_before(&format!("-- Columns: a, it's\n{call}")),
            "-- Columns: a, it's\nSELECT threadline.audit_as_before(\n    '\"orders\"',\n    mask => ARRAY['a'],\n    continues => to_regclass('the ''old'' one'),\n    keep => '1 year',\n    known => ARRAY['a', 'it''s']\n);"
        );
        let short = "SELECT threadline.audit_as_decided('\"orders\"', continues => 'old');";
        let without = "SELECT threadline.audit_as_decided('\"orders\"');";
        assert_eq!(without_continues(short), without);
        assert_eq!(without_continues(without), without);
    }
}
