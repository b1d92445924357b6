use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::folder::{self, Migration, NewMigration, NewSql, migrations_error};
use super::recorded::{
    AuditedTable, Change, Recorded, Since, UnauditedByDown, WRITTEN, as_recorded, columns_with,
    of_table, quoted,
};
use super::statements::{Name, plain};
use super::views::Views;
use crate::error::{Error, ErrorKind};
use crate::install::{Schema, VERSIONS, Way};
use crate::model::{
    COLUMNS, ColumnPolicy, Models, PolicyCall, TableSpec, as_before, unaudit_as_before_call,
    unaudit_call, with_continues, without_continues,
};
use crate::sql::name_parts;
use crate::version::SCHEMA_VERSION;

impl Models {
    /// Writes the missing migrations into the application's migrations folder: one that
    /// brings the audit schema to the version of this crate, and one for each model whose
    /// policy changed. Returns the written folders, or none if nothing changed.
    ///
    /// Run them with `diesel migration run` like any other migration, or at start-up with
    /// [`run_pending_migrations`](crate::run_pending_migrations). The `down.sql` of a
    /// policy restores the previous policy, and that of an upgrade the previous version of
    /// the schema. The application may write during an upgrade: its writes wait while the
    /// tables of the audit change. During a downgrade, a write that waits can then fail,
    /// because its capture function may use objects that the older schema lacks.
    ///
    /// A migration of the schema does nothing if its version is already installed. It
    /// fails, and changes nothing, if a view of yours reads the views of the audit: drop
    /// your view before the migration, and create it again afterwards.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # let dir = threadline_test_server::scratch_dir();
    /// let models = threadline::models![User];
    /// let written = models.generate(&dir)?;
    /// assert!(written.last().unwrap().ends_with(written.last().unwrap().file_name().unwrap()));
    /// assert!(models.generate(&dir)?.is_empty());
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Undecided`] if a column whose name suggests a secret has no
    /// explicit policy. Returns another error if the folder is missing or cannot be
    /// written, if a model belongs to a view, if two migrations have the same version, or
    /// if two models give one table different policies.
    pub fn generate(&self, migrations_dir: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
        let dir = migrations_dir.as_ref();
        self.require_decisions()?;
        let present = folder::read(dir)?;
        let recorded = Recorded::read(&present);
        self.refuse_views(&present, &recorded)?;
        let new = self.missing(&recorded)?;
        folder::write(dir, &present, &new)
    }

    /// Checks the migrations folder, for CI. Fails if [`generate`](Self::generate) would
    /// write a migration, if a migration of the audit schema was edited or exists twice, if
    /// the `down.sql` of a policy reverts nothing, or if a column whose name suggests a
    /// secret has no explicit policy.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::OutOfDate`] with what is missing, [`ErrorKind::Migrations`]
    /// with the problem and how to resolve it, or the errors of `generate`.
    pub fn check(&self, migrations_dir: impl AsRef<Path>) -> Result<(), Error> {
        self.require_decisions()?;
        let present = folder::read(migrations_dir.as_ref())?;
        let recorded = Recorded::read(&present);
        self.refuse_views(&present, &recorded)?;
        let mut wrong = wrong(Schema(VERSIONS), &present, &recorded);
        wrong.extend(present.iter().filter_map(cannot_be_taken_back));
        wrong.extend(recorded.tables.values().filter_map(ends_too_much));
        if !wrong.is_empty() {
            return Err(migrations_error(wrong.join("\n")));
        }
        let new = self.missing(&recorded)?;
        if new.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::OutOfDate {
            missing: new.into_iter().map(|migration| migration.name).collect(),
        }))
    }

    fn missing(&self, recorded: &Recorded) -> Result<Vec<NewMigration>, Error> {
        let schema = upgrade(Schema(VERSIONS), recorded.version);
        let policies = self.by_table()?.into_iter().filter_map(|(table, spec)| {
            let audited = recorded.tables.get(&plain(table.clone()));
            let previous = recorded.policy(&plain(table.clone()));
            let policy = policy_statement(spec);
            let in_force = previous.map(|previous| without_continues(previous));
            let again = audited.and_then(|audited| again(audited, recorded));
            (in_force != Some(as_recorded(&policy)) || again.is_some())
                .then(|| policy_migration(&table, spec, &policy, previous, again))
        });
        Ok(schema.into_iter().chain(policies).collect())
    }

    /// Returns an error for audited views, for which the migrations would fail.
    fn refuse_views(&self, present: &[Migration], recorded: &Recorded) -> Result<(), Error> {
        let views = Views::of(present);
        let mut wrong = vec![];
        for spec in self.specs() {
            if let Some(view) = views.get(&name_parts(&spec.table)) {
                wrong.push(format!(
                    "{} audits {}, which is a {} ({}); audit the tables that it shows",
                    spec.declared_by(),
                    spec.table,
                    view.kind,
                    view.migration
                ));
            }
        }
        for (table, audited) in &recorded.tables {
            if let Some(view) = views.get(table) {
                wrong.push(format!(
                    "{} audits a {} and cannot run; delete that folder",
                    audited.decided.migration, view.kind
                ));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(migrations_error(wrong.join("\n")))
    }

    /// Returns the specs by table. Several models of one table count as one if their
    /// policies are equal.
    fn by_table(&self) -> Result<Vec<(Vec<String>, &TableSpec)>, Error> {
        let mut seen: BTreeMap<Vec<String>, &TableSpec> = BTreeMap::new();
        let mut ordered = vec![];
        for spec in self.specs() {
            let table = name_parts(&spec.table);
            match seen.get(&table) {
                None => {
                    seen.insert(table.clone(), spec);
                    ordered.push((table, spec));
                }
                Some(other) if other.policy == spec.policy => {}
                Some(other) => {
                    return Err(migrations_error(format!(
                        "{} and {} give table {} different audit policies; a table has one. Make their policies the same",
                        other.declared_by(),
                        spec.declared_by(),
                        spec.table
                    )));
                }
            }
        }
        Ok(ordered)
    }
}

/// Returns the migrations from a version of the audit schema to the newest.
fn upgrade(schema: Schema<'static>, from: i32) -> Vec<NewMigration> {
    let way = Way {
        from,
        to: schema.newest(),
    };
    if way.from >= way.to {
        return vec![];
    }
    let mut new = vec![NewMigration {
        name: format!("threadline_schema_v{}", way.to),
        sql: NewSql::OfVersion(Box::new(move |version| {
            (schema.up(way, Some(version)), schema.down(way, version))
        })),
    }];
    new.extend(
        schema
            .concurrently(way)
            .into_iter()
            .map(|index| NewMigration {
                name: format!("threadline_index_{}", index.name),
                sql: NewSql::Alone((index.create_concurrently(), index.drop_concurrently())),
            }),
    );
    new
}

/// Returns the problems in the migrations of the audit schema, each with its fix.
fn wrong(schema: Schema<'_>, present: &[Migration], recorded: &Recorded) -> Vec<String> {
    let mut wrong = vec![];
    let mut reached = 0;
    let mut before: Option<&str> = None;
    for (place, way) in &recorded.schema {
        let migration = &present[*place];
        let name = &migration.name;
        if way.to > schema.newest() {
            wrong.push(format!(
                "{name} installs version {} of the audit schema, and this crate knows {SCHEMA_VERSION}; update threadline in Cargo.toml",
                way.to
            ));
            continue;
        }
        if let Some(before) = before.filter(|_| way.to <= reached) {
            wrong.push(format!(
                "{name} installs version {} of the audit schema again, after {before}. Both may run: the second does nothing. Delete {name}; where a database has run it, also: DELETE FROM __diesel_schema_migrations WHERE version = '{}'",
                way.to, migration.version
            ));
            continue;
        }
        if way.from > reached {
            wrong.push(format!(
                "{name} starts from version {} of the audit schema, and the migrations before it lead to version {reached}; restore the missing one, or delete {name} and generate again",
                way.from
            ));
        }
        let version = &migration.version;
        for (file, found, expected) in [
            ("up.sql", &migration.up, schema.up(*way, Some(version))),
            ("down.sql", &migration.down, schema.down(*way, version)),
        ] {
            if let Some(line) = first_difference(found, &expected) {
                wrong.push(format!(
                    "{name}/{file} is not as threadline wrote it, from line {line} on. Restore it from version control; or delete the folder and generate again if no database has run it"
                ));
            }
        }
        reached = way.to;
        before = Some(name);
    }
    wrong
}

/// Returns the problem of a policy migration whose `down.sql` was lost.
fn cannot_be_taken_back(migration: &Migration) -> Option<String> {
    let calls = |sql: &str| {
        let mut lines = sql.lines().map(str::trim_start);
        lines.any(|line| line.starts_with("SELECT threadline."))
    };
    let Migration { name, up, down, .. } = migration;
    (up.lines().any(|line| line.starts_with(WRITTEN)) && calls(up) && !calls(down)).then(|| {
        format!(
            "{name}/down.sql does not undo what up.sql does. Restore it from version control; or delete the folder and generate again if no database has run it"
        )
    })
}

/// Returns the problem of a policy migration whose `down.sql` ends an audit that began
/// before it, under another name.
fn ends_too_much(audited: &AuditedTable) -> Option<String> {
    let name = &audited.decided.migration;
    let table = quoted(audited.decided.ends.as_ref()?);
    Some(format!(
        "{name}/down.sql ends the audit of {table}, which was audited before under another name. Replace its statement by: {}",
        unaudit_as_before_call(&table)
    ))
}

/// Returns the number of the first line that differs, ignoring line endings.
fn first_difference(found: &str, expected: &str) -> Option<usize> {
    let (mut found, mut expected) = (found.lines(), expected.lines());
    (1..).find_map(|number| match (found.next(), expected.next()) {
        (None, None) => Some(None),
        (one, other) if one == other => None,
        _ => Some(Some(number)),
    })?
}

/// Returns the call. If any column is redacted, a list of the columns at that time precedes
/// it, so that a new column requires a new decision. Without a model, the columns are not
/// known here.
fn policy_statement(spec: &TableSpec) -> String {
    let call = PolicyCall(spec).to_string();
    if spec.policy.redacts() && spec.file.is_none() {
        format!("{COLUMNS} {}\n{call}", spec.columns.join(", "))
    } else {
        call
    }
}

/// Why a policy that did not change is written again.
struct Again {
    comment: String,
    /// The replaced table whose history continues, if it still exists.
    continues: Option<Name>,
}

fn again(audited: &AuditedTable, recorded: &Recorded) -> Option<Again> {
    let AuditedTable { decided, since, .. } = audited;
    let (comment, former) = match since {
        None if decided.beside => (
            format!(
                "Said again: {} was written beside another branch's, and a database may have run them in either order.",
                decided.migration
            ),
            None,
        ),
        None => return None,
        Some(Since { migration, what }) => match what {
            Change::Renamed { from } => (
                format!(
                    "Said again: {migration} renamed it; it was {}.",
                    quoted(from)
                ),
                None,
            ),
            Change::Replaced { former: None } => (
                format!("Said again: {migration} created the table anew."),
                None,
            ),
            Change::Replaced {
                former: Some(former),
            } => (
                format!(
                    "Said again: {migration} replaced the table, and the history of {} continues here.\n-- Delete the argument `continues` if that table does not exist any more or has another primary key.",
                    quoted(former)
                ),
                Some(former)
                    .filter(|former| recorded.tables.contains_key(*former))
                    .cloned(),
            ),
        },
    };
    Some(Again {
        comment: format!("-- {comment}\n"),
        continues: former,
    })
}

fn policy_migration(
    table: &[String],
    spec: &TableSpec,
    policy: &str,
    previous: Option<&String>,
    again: Option<Again>,
) -> NewMigration {
    let continues = again.as_ref().and_then(|again| again.continues.as_ref());
    let down = match (previous, continues) {
        (Some(previous), Some(former)) => format!(
            "-- The former table has its history back, under the policy before.\n{}\n",
            as_before(&with_continues(
                &of_table(&without_continues(previous), former),
                &spec.table
            ))
        ),
        (Some(previous), None) => format!("-- The policy before.\n{}\n", as_before(previous)),
        (None, _) => format!(
            "-- What was recorded stays until the audit schema goes.\n{}\n",
            unaudit_as_before_call(&spec.table)
        ),
    };
    let (from, what) = match &spec.file {
        Some(file) => (file.clone(), file.as_str()),
        None => (format!("the model `{}`", spec.model), "the model"),
    };
    let policy = match continues {
        Some(former) => with_continues(policy, &quoted(former)),
        None => policy.to_owned(),
    };
    let again = again.map_or(String::new(), |again| again.comment);
    let withdrawn = previous.map_or(String::new(), |previous| no_longer_redacted(spec, previous));
    NewMigration {
        name: format!("threadline_audit_{}", folder_name(table)),
        sql: NewSql::Texts((
            format!(
                "-- Audit policy of {}, from {from}.\n{WRITTEN} to change it, change {what} and generate again.\n{again}{withdrawn}{policy}\n",
                spec.table
            ),
            down,
        )),
    }
}

/// Returns a comment for each column policy that the new policy withdraws: it may have been
/// lost with a rename, and the column would be recorded.
fn no_longer_redacted(spec: &TableSpec, previous: &str) -> String {
    let mut comments = String::new();
    let redacting = ColumnPolicy::ALL.into_iter().filter(|one| one.redacts());
    for of_column in redacting {
        let participle = match of_column {
            ColumnPolicy::Mask => "masked",
            ColumnPolicy::Hash => "hashed",
            ColumnPolicy::Exclude | ColumnPolicy::Plain => "excluded",
        };
        for column in columns_with(previous, of_column) {
            let mut policies = spec.policy.column_policies.iter();
            let chosen = &spec.policy.columns;
            if policies.any(|(name, policy)| *name == column && policy.redacts())
                || !chosen.is_empty() && !chosen.contains(&column)
            {
                continue;
            }
            comments.push_str(NO_LONGER);
            comments.push_str(&format!("{participle}: {column}"));
            if spec.file.is_none() && !spec.columns.contains(&column) {
                comments.push_str(&format!(
                    ", which {} does not have. If it was renamed, give its new name a policy",
                    spec.declared_by()
                ));
            }
            comments.push('\n');
        }
    }
    comments
}

/// The beginning of a comment on a column that is not redacted any more.
const NO_LONGER: &str = "-- No longer ";

/// Returns remarks on the migrations folder, for the command line: comments on columns that
/// a just written migration no longer redacts, tables whose model is gone, and those that a
/// `down.sql` leaves without an audit.
///
/// # Errors
///
/// Returns the errors of [`Models::generate`] for a folder that cannot be read.
pub fn remarks(models: &Models, dir: &Path, written: &[PathBuf]) -> Result<Vec<String>, Error> {
    let present = folder::read(dir)?;
    let mut remarks = vec![];
    for migration in &present {
        if written
            .iter()
            .any(|folder| folder.ends_with(&migration.name))
        {
            let comments = migration
                .up
                .lines()
                .filter(|line| line.starts_with(NO_LONGER));
            remarks.extend(comments.map(|line| format!("{}: {}", migration.name, &line[3..])));
        }
    }
    let recorded = Recorded::read(&present);
    for (table, audited) in &recorded.tables {
        let is_declared = |spec: &TableSpec| plain(name_parts(&spec.table)) == *table;
        if !audited.decided.from_model
            || models.specs().iter().any(is_declared)
            || recorded.is_replaced(table)
        {
            continue;
        }
        let migration = &audited.decided.migration;
        let name = quoted(table);
        let end = unaudit_call(&name);
        remarks.push(match &audited.since {
            Some(Since {
                migration: renaming,
                what: Change::Renamed { from },
            }) => format!(
                "{migration} audits {}, which {renaming} renamed to {name}, and no model declares {name}. It stays audited; change the table name of its model, or to end the audit, write a migration with {end}",
                quoted(from)
            ),
            _ => format!(
                "{migration} audits {name}, and no model declares it any more. It stays audited; to end that, write a migration with {end}"
            ),
        });
    }
    for UnauditedByDown {
        migration,
        table,
        policy,
    } in &recorded.unaudited_by_down
    {
        let is_declared = |spec: &TableSpec| plain(name_parts(&spec.table)) == *table;
        if models.specs().iter().any(is_declared) {
            remarks.push(format!(
                "{migration}/down.sql creates {} anew, which is not audited afterwards. End it with:\n{}",
                quoted(table),
                as_before(&without_continues(policy))
            ));
        }
    }
    Ok(remarks)
}

/// Returns the name of the table, limited to characters that every file system accepts.
fn folder_name(table: &[String]) -> String {
    table
        .join("_")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel_migrations::{FileBasedMigrations, MigrationHarness};
    use threadline_test_server::{Server, scratch_dir};

    use super::*;
    use crate::install::Version;
    use crate::install::{Index, Step};

    /// Returns the existing versions, and one that adds an index to a table that may be
    /// large.
    fn with_an_index() -> Schema<'static> {
        let mut versions = VERSIONS.to_vec();
        versions.push(Version {
            number: SCHEMA_VERSION + 1,
            step: Some(Step {
                name: "made_up",
                up: "ALTER TABLE threadline.ledger_changes ADD COLUMN made_up text;\n",
                down: "ALTER TABLE threadline.ledger_changes DROP COLUMN made_up;\n",
                concurrently: &[Index {
                    name: "ledger_changes_made_up",
                    definition: "ON threadline.ledger_changes (made_up)",
                }],
            }),
            code: versions[versions.len() - 1].code,
        });
        Schema(versions.leak())
    }

    fn index_is_there(conn: &mut PgConnection) -> bool {
        diesel::dsl::sql::<diesel::sql_types::Bool>(
            "SELECT coalesce((SELECT i.indisvalid FROM pg_index AS i WHERE i.indexrelid = to_regclass('threadline.ledger_changes_made_up')), false)",
        )
        .get_result(conn)
        .unwrap()
    }

    fn names(written: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| {
            path.file_name()?
                .to_str()?
                .split_once('_')
                .map(|n| n.1.to_owned())
        };
        written.iter().filter_map(name).collect()
    }

    #[test]
    fn an_index_on_a_large_table_has_a_migration_without_a_transaction() {
        let schema = with_an_index();
        let server = Server::shared();
        for from in [SCHEMA_VERSION, 0] {
            let database = server.fresh_name("index");
            let admin = &mut PgConnection::establish(server.url()).unwrap();
            admin
                .batch_execute(&format!("CREATE DATABASE {database}"))
                .unwrap();
            let conn = &mut PgConnection::establish(&server.url_of(&database)).unwrap();
            if from > 0 {
                let way = Way { from: 0, to: from };
                conn.batch_execute(&schema.up(way, None)).unwrap();
            }

            let dir = scratch_dir();
            let written = folder::write(&dir, &[], &upgrade(schema, from)).unwrap();
            let schema_folder = format!("threadline_schema_v{}", SCHEMA_VERSION + 1);
            let migrations = FileBasedMigrations::from_path(&dir).unwrap();
            if from > 0 {
                assert_eq!(
                    names(&written),
                    [
                        schema_folder.as_str(),
                        "threadline_index_ledger_changes_made_up"
                    ]
                );
                conn.run_next_migration(migrations.clone()).unwrap();
                assert!(!index_is_there(conn));
            } else {
                assert_eq!(names(&written), [schema_folder]);
            }
            crate::run_pending_migrations(conn, &migrations).unwrap();
            assert!(index_is_there(conn));
            conn.revert_all_migrations(migrations).unwrap();
            assert!(!index_is_there(conn));
        }
    }
}
