use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::folder::{self, NewMigration, migrations_error};
use super::recorded::{COLUMNS, Recorded};
use crate::error::{Error, ErrorKind};
use crate::install::{PATCHES, PolicyCall, unaudit_call};
use crate::model::{Models, TableSpec};
use crate::sql::name_parts;

impl Models {
    /// Writes what is missing into the application's migrations folder: the
    /// patches of the audit schema that it lacks, and one migration for every
    /// model whose policy changed. Gives the folders written; when nothing
    /// changed, none.
    ///
    /// Run them with `diesel migration run` like any other migration. The
    /// `down.sql` of a policy puts the previous one back.
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
    /// [`ErrorKind::Undecided`] where a column looks secret and its model says nothing of
    /// it. The folder is missing or cannot be written, two of its migrations have
    /// one version, or two models give one table different policies.
    pub fn generate(&self, migrations_dir: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
        let dir = migrations_dir.as_ref();
        self.require_decisions()?;
        let present = folder::read(dir)?;
        let new = self.missing(&Recorded::read(&present))?;
        folder::write(dir, &present, &new)
    }

    /// Fails when [`generate`](Self::generate) would write something, or a column looks
    /// secret and its model says nothing of it: for CI.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfDate`] with what is missing, or as of `generate`.
    pub fn check(&self, migrations_dir: impl AsRef<Path>) -> Result<(), Error> {
        self.require_decisions()?;
        let present = folder::read(migrations_dir.as_ref())?;
        let new = self.missing(&Recorded::read(&present))?;
        if new.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::OutOfDate {
            missing: new.into_iter().map(|migration| migration.name).collect(),
        }))
    }

    fn missing(&self, recorded: &Recorded) -> Result<Vec<NewMigration>, Error> {
        let patches = PATCHES
            .iter()
            .filter(|patch| !recorded.patches.contains(&patch.version))
            .map(|patch| NewMigration {
                name: format!("threadline_{}", patch.name),
                up: patch.up.to_owned(),
                down: patch.down.to_owned(),
            });
        let policies = self.by_table()?.into_iter().filter_map(|(table, spec)| {
            let previous = recorded.policies.get(&table);
            let policy = policy_statement(spec);
            (previous != Some(&policy)).then(|| policy_migration(&table, spec, &policy, previous))
        });
        Ok(patches.chain(policies).collect())
    }

    /// The specs by table. Several models of one table are one if they agree.
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
                        "the models `{}` and `{}` give table {} different audit policies; a table has one. Make their #[audited(...)] the same",
                        other.model, spec.model, spec.table
                    )));
                }
            }
        }
        Ok(ordered)
    }
}

/// The call, and before it, if anything is kept from the audit, the columns
/// among which that was decided: a new column asks for a new decision.
fn policy_statement(spec: &TableSpec) -> String {
    let call = PolicyCall(spec).to_string();
    if spec.policy.redacts() {
        format!("{COLUMNS} {}\n{call}", spec.columns.join(", "))
    } else {
        call
    }
}

fn policy_migration(
    table: &[String],
    spec: &TableSpec,
    policy: &str,
    previous: Option<&String>,
) -> NewMigration {
    let down = match previous {
        Some(previous) => format!("-- The policy before.\n{previous}\n"),
        None => format!(
            "-- What was recorded stays until the audit schema goes.\n{}\n",
            unaudit_call(&spec.table)
        ),
    };
    NewMigration {
        name: format!("threadline_audit_{}", folder_name(table)),
        up: format!(
            "-- Audit policy of {}, from the model `{}`.\n-- Written by threadline: to change it, change the model and generate again.\n{policy}\n",
            spec.table, spec.model
        ),
        down,
    }
}

/// The table's name as far as every file system takes it.
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
