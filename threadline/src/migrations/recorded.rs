//! The state of the audit to which the existing migrations lead. They are the only state
//! that the generator has.

use std::collections::BTreeMap;

use super::folder::Migration;
use super::statements::{AUDIT, Name, Statement, literal, plain, statements};
use crate::install::Way;
use crate::model::{ColumnPolicy, as_before};
use crate::sql::ReadableLiteral;

/// The line by which the migration of a policy is recognized.
pub(super) const WRITTEN: &str = "-- Written by threadline:";

/// The state to which the migrations lead.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorded {
    /// The version of the audit schema.
    pub(super) version: i32,
    /// The version to which each migration of the schema leads, by its index among the
    /// migrations.
    pub(super) schema: Vec<(usize, Way)>,
    /// The audited tables by their present names.
    pub(super) tables: BTreeMap<Name, AuditedTable>,
    /// The names of tables that were audited under them, and were renamed or dropped since.
    former: BTreeMap<Name, FormerTable>,
    /// The audited tables that a migration's `down.sql` creates anew, without an audit.
    pub(super) unaudited_by_down: Vec<UnauditedByDown>,
}

/// An audited table that a `down.sql` creates anew, without an audit.
#[derive(Debug, Clone)]
pub(super) struct UnauditedByDown {
    /// The name of the migration.
    pub(super) migration: String,
    pub(super) table: Name,
    /// Its policy at that time.
    pub(super) policy: String,
}

/// The last policy of an audited table.
#[derive(Debug, Clone)]
pub(super) struct AuditedTable {
    /// Its statement with the line of columns, for the present name of the table.
    pub(super) policy: String,
    /// The migration that contains it.
    pub(super) decided: Decided,
    /// What happened to the table since then, so that the policy must be written again.
    pub(super) since: Option<Since>,
}

/// The migration with the last policy of a table.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    /// The name of the migration.
    pub(super) migration: String,
    /// Whether its `down.sql` leads to another policy than the one before it: the two were
    /// written on different branches, and a database may have run them in either order.
    pub(super) beside: bool,
    /// Whether it was generated from a model.
    pub(super) from_model: bool,
    /// The name under which it audits the table, if its `down.sql` ends the audit and the
    /// table was audited before under another name.
    pub(super) ends: Option<Name>,
}

/// A change to a table by a migration after its last policy.
#[derive(Debug, Clone)]
pub(super) struct Since {
    /// The name of the migration.
    pub(super) migration: String,
    pub(super) what: Change,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    /// The table had another name.
    Renamed { from: Name },
    /// Another table has its name now. The audited one exists under a name of its own, or
    /// was dropped.
    Replaced { former: Option<Name> },
}

/// A table whose name was given up.
#[derive(Debug, Clone)]
struct FormerTable {
    policy: String,
    decided: Decided,
    /// Its present name, unless it was dropped.
    present: Option<Name>,
}

impl Recorded {
    pub(super) fn read(migrations: &[Migration]) -> Self {
        let mut recorded = Self::default();
        for (place, migration) in migrations.iter().enumerate() {
            if let Some(way) = Way::of_migration(&migration.up) {
                recorded.version = recorded.version.max(way.to);
                recorded.schema.push((place, way));
            } else {
                for statement in statements(&migration.up) {
                    recorded.follow(statement, migration);
                }
                let found = recorded.created_by_down(migration);
                recorded.unaudited_by_down.extend(found);
            }
        }
        recorded
    }

    /// Returns the last policy of a table, also of one that was renamed or dropped, which a
    /// table that the generator does not see may have replaced.
    pub(super) fn policy(&self, table: &Name) -> Option<&String> {
        let audited = self.tables.get(table).map(|audited| &audited.policy);
        audited.or_else(|| self.former.get(table).map(|former| &former.policy))
    }

    fn created_by_down(&self, migration: &Migration) -> Vec<UnauditedByDown> {
        let statements = statements(&migration.down);
        let defines = |statement: &Statement| {
            matches!(
                statement,
                Statement::Create { .. } | Statement::Rename { .. }
            )
        };
        if !statements.iter().any(defines) {
            return vec![];
        }
        let mut reverted = Self {
            tables: self.tables.clone(),
            former: self.former.clone(),
            ..Self::default()
        };
        let place = format!("{}/down.sql", migration.name);
        let down = Migration {
            version: migration.version.clone(),
            name: place.clone(),
            up: String::new(),
            down: String::new(),
        };
        for statement in statements {
            reverted.follow(statement, &down);
        }
        let created = reverted.tables.into_iter().filter(|(_, audited)| {
            matches!(&audited.since, Some(Since { migration, what: Change::Replaced { .. } }) if *migration == place)
        });
        created
            .map(|(table, audited)| UnauditedByDown {
                migration: migration.name.clone(),
                table,
                policy: audited.policy,
            })
            .collect()
    }

    fn follow(&mut self, statement: Statement, migration: &Migration) {
        match statement {
            Statement::Audit {
                table,
                policy,
                continues,
            } => {
                if let Some(continued) = continues.filter(|continued| *continued != table) {
                    self.tables.remove(&continued);
                }
                self.audit(table, policy, migration);
            }
            Statement::Unaudit(table) => {
                self.tables.remove(&table);
                self.former.remove(&table);
            }
            Statement::Create { table, if_missing } => {
                if !(if_missing && self.tables.contains_key(&table)) {
                    self.drop(&table);
                    self.replace(&table, migration);
                }
            }
            Statement::Rename { table, to } => self.rename(&table, to, migration),
            Statement::Drop(table) => self.drop(&table),
            Statement::RenameSchema { schema, to } => {
                for table in self.in_schema(&schema) {
                    let name = table.last().cloned().unwrap_or_default();
                    self.rename(&table, plain(vec![to.clone(), name]), migration);
                }
            }
            Statement::DropSchema(schema) => {
                for table in self.in_schema(&schema) {
                    self.drop(&table);
                }
            }
        }
    }

    fn in_schema(&self, schema: &str) -> Vec<Name> {
        let tables = self.tables.keys();
        let inside = |table: &&Name| match table.as_slice() {
            [_] => schema == "public",
            [of, ..] => of == schema,
            [] => false,
        };
        tables.filter(inside).cloned().collect()
    }

    fn audit(&mut self, table: Name, policy: String, migration: &Migration) {
        let before = self.tables.get(&table);
        let renamed = before.is_some_and(|before| before.since.is_some());
        let decided = Decided {
            migration: migration.name.clone(),
            beside: !renamed && is_beside(migration, self.policy(&table).map(String::as_str)),
            from_model: migration.up.lines().any(|line| {
                line.starts_with("-- Audit policy of ") && line.contains(", from the model `")
            }),
            ends: (renamed && ends(migration, &table)).then(|| table.clone()),
        };
        self.former.remove(&table);
        let audited = AuditedTable {
            policy,
            decided,
            since: None,
        };
        self.tables.insert(table, audited);
    }

    fn rename(&mut self, table: &Name, to: Name, migration: &Migration) {
        if *table == to || self.tables.contains_key(&to) {
            return;
        }
        let Some(mut audited) = self.tables.remove(table) else {
            self.replace(&to, migration);
            return;
        };
        let former = FormerTable {
            policy: audited.policy.clone(),
            decided: audited.decided.clone(),
            present: None,
        };
        self.former.insert(table.clone(), former);
        self.now_at(table, Some(&to));
        self.former.remove(&to);
        audited.policy = of_table(&audited.policy, &to);
        audited.since = match audited.since {
            Some(Since {
                what: Change::Renamed { from },
                ..
            }) if from == to => None,
            Some(since) => Some(since),
            None => Some(Since {
                migration: migration.name.clone(),
                what: Change::Renamed {
                    from: table.clone(),
                },
            }),
        };
        self.tables.insert(to, audited);
    }

    fn drop(&mut self, table: &Name) {
        let Some(AuditedTable {
            policy, decided, ..
        }) = self.tables.remove(table)
        else {
            return;
        };
        self.now_at(table, None);
        let former = FormerTable {
            policy,
            decided,
            present: None,
        };
        self.former.insert(table.clone(), former);
    }

    /// Notes that a table has this name now, which an audited one may have had.
    fn replace(&mut self, table: &Name, migration: &Migration) {
        let Some(FormerTable {
            policy,
            decided,
            present,
        }) = self.former.remove(table)
        else {
            return;
        };
        let audited = AuditedTable {
            policy,
            decided,
            since: Some(Since {
                migration: migration.name.clone(),
                what: Change::Replaced { former: present },
            }),
        };
        self.tables.insert(table.clone(), audited);
    }

    /// Notes the present name of a table where others refer to it.
    fn now_at(&mut self, table: &Name, present: Option<&Name>) {
        let replaced = self.tables.values_mut();
        let replaced = replaced.filter_map(|audited| match &mut audited.since {
            Some(Since {
                what: Change::Replaced { former },
                ..
            }) => Some(former),
            _ => None,
        });
        let former = self.former.iter_mut();
        // The name that it had until now.
        let (last, earlier): (Vec<_>, Vec<_>) = former.partition(|(name, _)| *name == table);
        let earlier = earlier.into_iter().map(|(_, former)| &mut former.present);
        for place in replaced.chain(earlier) {
            if place.as_ref() == Some(table) {
                *place = present.cloned();
            }
        }
        for (_, former) in last {
            former.present = present.cloned();
        }
    }

    /// Returns whether another table has replaced this one, whose history it continues.
    pub(super) fn is_replaced(&self, table: &Name) -> bool {
        self.tables.values().any(|audited| {
            matches!(&audited.since, Some(Since { what: Change::Replaced { former }, .. }) if former.as_ref() == Some(table))
        })
    }
}

/// Returns the name as SQL.
pub(super) fn quoted(name: &Name) -> String {
    let quoted = |part: &String| format!("\"{}\"", part.replace('"', "\"\""));
    name.iter().map(quoted).collect::<Vec<_>>().join(".")
}

/// Returns a policy for a table of another name.
pub(super) fn of_table(policy: &str, table: &Name) -> String {
    let Some(at) = policy.find(AUDIT).map(|at| at + AUDIT.len()) else {
        return policy.to_owned();
    };
    let Some(from) = policy[at..].find(['\'', 'E', 'e']).map(|space| at + space) else {
        return policy.to_owned();
    };
    match literal(&policy[from..]) {
        Some((_, after)) => format!(
            "{}{}{after}",
            &policy[..from],
            ReadableLiteral(&quoted(table))
        ),
        None => policy.to_owned(),
    }
}

/// Returns whether the `down.sql` of a generated migration ends the audit of the table.
fn ends(migration: &Migration, table: &Name) -> bool {
    migration.up.lines().any(|line| line.starts_with(WRITTEN))
        && migration.down.contains("SELECT threadline.unaudit(")
        && statements(&migration.down).contains(&Statement::Unaudit(table.clone()))
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

/// The beginning of a policy for a table without a model, or written by hand.
const ASKING: &str = "SELECT threadline.audit(";

/// Returns a policy as read from a migration, independent of the function that it calls.
pub(super) fn as_recorded(policy: &str) -> String {
    policy.replace(ASKING, AUDIT)
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
        let tables: Vec<_> = recorded.tables.keys().cloned().collect();
        assert_eq!(
            tables,
            [vec!["app".to_owned(), "it's".into()], vec!["orders".into()]]
        );
        assert_eq!(
            recorded.tables[&vec!["orders".to_owned()]].policy,
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
