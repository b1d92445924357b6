//! The state of the audit to which the existing migrations lead. They are the only state
//! that the generator has.

use std::collections::BTreeMap;

use super::folder::Migration;
use crate::install::Way;
use crate::model::{COLUMNS, ColumnPolicy, as_before};
use crate::sql::name_parts;

/// The line by which the migration of a policy is recognized.
pub(super) const WRITTEN: &str = "-- Written by threadline:";

/// The state to which the migrations lead.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The version of the audit schema.
    pub(super) version: i32,
    /// The version to which each migration of the schema leads, by its index among the
    /// migrations.
    pub(super) schema: Vec<(usize, Way)>,
    /// The last policy of each audited table, by the parts of the table name: its statement
    /// with the line of columns.
    pub(super) policies: BTreeMap<Vec<String>, String>,
    /// The migration that contains it.
    pub(super) decided: BTreeMap<Vec<String>, Decided>,
}

/// The migration with the last policy of a table.
#[derive(Debug)]
pub(super) struct Decided {
    /// The name of the migration.
    pub(super) migration: String,
    /// Whether its `down.sql` leads to another policy than the one before it: the two were
    /// written on different branches, and a database may have run them in either order.
    pub(super) beside: bool,
    /// Whether it was generated from a model.
    pub(super) from_model: bool,
}

impl Recorded {
    pub(super) fn read(migrations: &[Migration]) -> Self {
        let mut recorded = Self::default();
        for (place, migration) in migrations.iter().enumerate() {
            if let Some(way) = Way::of_migration(&migration.up) {
                recorded.version = recorded.version.max(way.to);
                recorded.schema.push((place, way));
            } else {
                recorded.follow(migration);
            }
        }
        recorded
    }

    fn follow(&mut self, migration: &Migration) {
        let mut columns = None;
        let mut lines = migration.up.lines();
        while let Some(line) = lines.next() {
            let line = line.trim();
            if line.starts_with(COLUMNS) {
                columns = Some(line.to_owned());
            } else if let Some(arguments) = audit_call(line) {
                let mut statement = format!("{AUDIT}{arguments}");
                while !statement.ends_with(");") {
                    let Some(line) = lines.next() else { break };
                    statement.push('\n');
                    statement.push_str(line.trim_end());
                }
                if let Some(table) = first_argument(&statement) {
                    let policy = match columns.take() {
                        Some(columns) => format!("{columns}\n{statement}"),
                        None => statement,
                    };
                    let before = self.policies.insert(table.clone(), policy);
                    let decided = Decided {
                        migration: migration.name.clone(),
                        beside: is_beside(migration, before.as_deref()),
                        from_model: migration.up.lines().any(|line| {
                            line.starts_with("-- Audit policy of ")
                                && line.contains(", from the model `")
                        }),
                    };
                    self.decided.insert(table, decided);
                }
            } else if line.starts_with("SELECT threadline.unaudit(") {
                if let Some(table) = first_argument(line) {
                    self.decided.remove(&table);
                    self.policies.remove(&table);
                }
            }
        }
    }
}

/// Returns whether a generated migration reverts to another policy than the given one.
fn is_beside(migration: &Migration, before: Option<&str>) -> bool {
    let Migration { up, down, .. } = migration;
    let Some(before) = before else { return false };
    let before = as_before(before);
    let mut lines = before.lines();
    up.lines().any(|line| line.starts_with(WRITTEN))
        && !lines.all(|line| down.lines().any(|other| other.trim_end() == line))
}

/// The beginning of a generated policy.
const AUDIT: &str = "SELECT threadline.audit_as_decided(";

/// The beginning of a policy for a table without a model, or written by hand.
const ASKING: &str = "SELECT threadline.audit(";

/// Returns a policy as read from a migration, independent of the function that it calls.
pub(super) fn as_recorded(policy: &str) -> String {
    policy.replace(ASKING, AUDIT)
}

/// Returns the rest of a call that audits a table, written by hand or generated.
fn audit_call(line: &str) -> Option<&str> {
    [AUDIT, ASKING]
        .into_iter()
        .find_map(|call| line.strip_prefix(call))
}

/// Returns the table that a call names: its first argument, a string literal.
fn first_argument(call: &str) -> Option<Vec<String>> {
    let (_, arguments) = call.split_once('(')?;
    let (table, _) = literal(arguments.trim_start())?;
    Some(name_parts(&table))
}

/// Returns the columns to which a policy gives a column policy: `mask => ARRAY['a', 'b']`,
/// or by hand `mask => '{a,b}'`.
pub(super) fn columns_with(policy: &str, of_column: ColumnPolicy) -> Vec<String> {
    let argument = format!("{} => ", of_column.as_str());
    let starts = |at: usize| policy[..at].ends_with([' ', '(', ',']);
    let Some(at) = policy
        .match_indices(&argument)
        .map(|(at, _)| at)
        .find(|&at| starts(at))
    else {
        return vec![];
    };
    let list = &policy[at + argument.len()..];
    let mut columns = vec![];
    if let Some(mut rest) = list.strip_prefix("ARRAY[") {
        while let Some((column, after)) = literal(rest.trim_start_matches([',', ' '])) {
            columns.push(column);
            rest = after;
        }
    } else if let Some((text, _)) = literal(list) {
        let names = text.trim_matches(['{', '}']).split(',');
        columns.extend(names.map(|name| name.trim().trim_matches('"').to_owned()));
    }
    columns
}

/// Returns the text of the string literal at the beginning, and what follows it.
fn literal(sql: &str) -> Option<(String, &str)> {
    let escaped = sql.starts_with(['E', 'e']);
    let mut rest = sql[usize::from(escaped)..].strip_prefix('\'')?;
    let mut text = String::new();
    loop {
        let mut chars = rest.chars();
        let c = chars.next()?;
        rest = chars.as_str();
        match c {
            '\'' => match rest.strip_prefix('\'') {
                Some(after) => {
                    text.push('\'');
                    rest = after;
                }
                None => return Some((text, rest)),
            },
            '\\' if escaped => {
                let mut chars = rest.chars();
                text.push(chars.next()?);
                rest = chars.as_str();
            }
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(sql: &str) -> Recorded {
        Recorded::read(&[Migration {
            version: "1".into(),
            name: "1_test".into(),
            up: sql.into(),
            down: String::new(),
        }])
    }

    #[test]
    fn the_last_call_for_a_table_counts_however_it_is_written() {
        let sql = "\
-- SELECT threadline.audit('commented_out');
SELECT threadline.audit('Users');
SELECT threadline.audit(
    '\"app\".\"it''s\"',
    mask => ARRAY['a']
);
SELECT threadline.audit_as_decided('users');
SELECT threadline.unaudit('\"users\"');
-- Columns: id, a
SELECT threadline.audit('\"orders\"', mask => ARRAY['a']);
";
        let recorded = recorded(sql);
        let tables: Vec<_> = recorded.policies.keys().cloned().collect();
        assert_eq!(
            tables,
            [vec!["app".to_owned(), "it's".into()], vec!["orders".into()]]
        );
        assert_eq!(
            recorded.policies[&vec!["orders".to_owned()]],
            "-- Columns: id, a\nSELECT threadline.audit_as_decided('\"orders\"', mask => ARRAY['a']);"
        );
    }

    #[test]
    fn columns_of_a_policy_are_read_however_it_is_written() {
        let policy = "SELECT threadline.audit('t',\n    mask => ARRAY['a', 'it''s', E'b\\\\c'],\n    exclude => '{d, \"e\"}',\n    keep => '1 year');";
        assert_eq!(
            columns_with(policy, ColumnPolicy::Mask),
            ["a", "it's", "b\\c"]
        );
        assert_eq!(columns_with(policy, ColumnPolicy::Exclude), ["d", "e"]);
        assert_eq!(columns_with(policy, ColumnPolicy::Hash), [""; 0]);
    }
}
