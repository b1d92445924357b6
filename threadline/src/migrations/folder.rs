//! The application's migrations folder, in Diesel's layout.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{NaiveDateTime, TimeDelta, Utc};
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_migrations::FileBasedMigrations;

use super::statements::starts_with_symbols;
use crate::error::{Error, ErrorKind};

/// A migration in the folder.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) version: String,
    /// The name of its folder.
    pub(super) name: String,
    pub(super) up: String,
    pub(super) down: String,
}

/// A migration to write.
pub(super) struct NewMigration {
    /// The part of the folder name after the version.
    pub(super) name: String,
    pub(super) sql: NewSql,
}

/// `up.sql` and `down.sql`.
pub(super) type Texts = (String, String);

pub(super) enum NewSql {
    Texts(Texts),
    /// Statements that cannot run in a transaction, each in its own migration.
    Alone(Texts),
    /// SQL that contains the version of its own migration.
    OfVersion(Box<dyn Fn(&str) -> Texts>),
}

/// With this setting, Diesel runs a migration without a transaction.
pub(super) const ALONE: &str = "run_in_transaction = false\n";

/// Reads all migrations, in the order in which Diesel runs them.
pub(super) fn read(dir: &Path) -> Result<Vec<Migration>, Error> {
    if !dir.is_dir() {
        return Err(migrations_error(format!(
            "{} is not a folder; create it with `diesel setup`, or name the application's migrations folder",
            dir.display()
        )));
    }
    // Uses Diesel's own parser, so that exactly what Diesel runs is read here.
    let migrations = FileBasedMigrations::from_path(dir)
        .map_err(Into::into)
        .and_then(|source| MigrationSource::<Pg>::migrations(&source))
        .map_err(|error| migrations_error(format!("{}: {error}", dir.display())))?;
    let mut found: Vec<(String, String)> = migrations
        .iter()
        .map(|migration| {
            (
                migration.name().version().to_string(),
                migration.name().to_string(),
            )
        })
        .collect();
    found.sort();
    for pair in found.windows(2) {
        if pair[0].0 == pair[1].0 {
            return Err(migrations_error(format!(
                "{}: the folders `{}` and `{}` have one version, {}; Diesel would run only one of them. Rename one",
                dir.display(),
                pair[0].1,
                pair[1].1,
                pair[0].0
            )));
        }
    }
    let migrations: Vec<_> = found
        .into_iter()
        .map(|(version, name)| {
            let path = dir.join(&name).join("up.sql");
            let up = fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
            let down = fs::read_to_string(dir.join(&name).join("down.sql")).unwrap_or_default();
            Ok(Migration {
                version,
                name,
                up,
                down,
            })
        })
        .collect::<Result<_, Error>>()?;
    let conflicts: Vec<_> = migrations.iter().flat_map(conflicts).collect();
    if conflicts.is_empty() {
        return Ok(migrations);
    }
    Err(migrations_error(conflicts.join("\n")))
}

/// Returns the unresolved merge conflicts in the files of a migration, one for each file.
fn conflicts(migration: &Migration) -> Vec<String> {
    let Migration { name, up, down, .. } = migration;
    [("up.sql", up), ("down.sql", down)]
        .into_iter()
        .filter_map(|(file, sql)| {
            let (number, marker) = (1..).zip(sql.lines()).find(|(number, line)| {
                let of_git = ["<<<<<<<", "|||||||", ">>>>>>>"].into_iter().any(|marker| {
                    let after = line.strip_prefix(marker);
                    after.is_some_and(|after| after.is_empty() || after.starts_with(' '))
                });
                // It can also underline a heading in a comment.
                of_git || *line == "=======" && starts_with_symbols(sql, *number, line)
            })?;
            Some(format!(
                "{name}/{file}, line {number}: `{marker}` is left of a merge conflict; resolve it first"
            ))
        })
        .collect()
}

/// Writes new migrations so that Diesel runs them after all existing ones, in the given
/// order. Returns the written folders.
pub(super) fn write(
    dir: &Path,
    present: &[Migration],
    new: &[NewMigration],
) -> Result<Vec<PathBuf>, Error> {
    let time = time_after(dir, present)?;
    let mut written = vec![];
    for (number, migration) in new.iter().enumerate() {
        let folder = format!(
            "{}-{number:04x}_{}",
            time.format("%Y-%m-%d-%H%M%S"),
            migration.name
        );
        // Under a name that Diesel ignores until both files are complete.
        let unfinished = dir.join(format!(".{folder}"));
        let finished = dir.join(&folder);
        fs::create_dir_all(&unfinished).map_err(|e| Error::io(&unfinished, e))?;
        let mut files = vec![];
        let (up, down) = match &migration.sql {
            NewSql::Texts(texts) => texts.clone(),
            NewSql::Alone(texts) => {
                files.push(("metadata.toml", ALONE.to_owned()));
                texts.clone()
            }
            NewSql::OfVersion(texts) => texts(&version_of(&folder)),
        };
        files.extend([("up.sql", up), ("down.sql", down)]);
        for (name, text) in files {
            let path = unfinished.join(name);
            fs::write(&path, text).map_err(|e| Error::io(&path, e))?;
        }
        fs::rename(&unfinished, &finished).map_err(|e| Error::io(&finished, e))?;
        written.push(finished);
    }
    Ok(written)
}

/// Returns the version of a migration, as Diesel reads it from the folder name.
fn version_of(folder: &str) -> String {
    folder
        .split('_')
        .next()
        .unwrap_or_default()
        .replace('-', "")
}

/// Returns the present time, or a second after the newest existing migration.
fn time_after(dir: &Path, present: &[Migration]) -> Result<NaiveDateTime, Error> {
    let now = Utc::now().naive_utc();
    let Some(newest) = present.last().map(|migration| migration.version.as_str()) else {
        return Ok(now);
    };
    if newest < now.format("%Y%m%d%H%M%S").to_string().as_str() {
        return Ok(now);
    }
    newest
        .get(..14)
        .and_then(|digits| NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok())
        .and_then(|time| time.checked_add_signed(TimeDelta::seconds(1)))
        .ok_or_else(|| {
            migrations_error(format!(
                "{}: version `{newest}` sorts after every timestamp, so that a new migration would run before it; rename that folder to Diesel's `YYYY-MM-DD-HHMMSS_name`",
                dir.display()
            ))
        })
}

pub(super) fn migrations_error(message: String) -> Error {
    Error::new(ErrorKind::Migrations { message })
}
