//! The application's migrations folder, in Diesel's layout.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{NaiveDateTime, TimeDelta, Utc};
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_migrations::FileBasedMigrations;

use crate::error::{Error, ErrorKind};

/// A migration as it stands in the folder.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) version: String,
    pub(super) up: String,
}

/// A migration to be written.
#[derive(Debug)]
pub(super) struct NewMigration {
    /// What comes after the version in the folder's name.
    pub(super) name: String,
    pub(super) up: String,
    pub(super) down: String,
}

/// Reads all migrations, in the order in which Diesel runs them.
pub(super) fn read(dir: &Path) -> Result<Vec<Migration>, Error> {
    if !dir.is_dir() {
        return Err(migrations_error(format!(
            "{} is not a folder; create it with `diesel setup`, or name the application's migrations folder",
            dir.display()
        )));
    }
    // Diesel's own reading, so that what it runs is what is read here.
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
    found
        .into_iter()
        .map(|(version, name)| {
            let path = dir.join(name).join("up.sql");
            let up = fs::read_to_string(&path).map_err(|e| io_error(&path, e))?;
            Ok(Migration { version, up })
        })
        .collect()
}

/// Writes new migrations so that Diesel runs them after all that are there, in
/// the order given. Gives the folders written.
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
        // Under a name that Diesel passes over until both files are whole.
        let unfinished = dir.join(format!(".{folder}"));
        let finished = dir.join(&folder);
        fs::create_dir_all(&unfinished).map_err(|e| io_error(&unfinished, e))?;
        for (name, sql) in [("up.sql", &migration.up), ("down.sql", &migration.down)] {
            let path = unfinished.join(name);
            fs::write(&path, sql).map_err(|e| io_error(&path, e))?;
        }
        fs::rename(&unfinished, &finished).map_err(|e| io_error(&finished, e))?;
        written.push(finished);
    }
    Ok(written)
}

/// Now, or a second after the newest migration that is there.
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

fn io_error(path: &Path, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Io {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn migrations_error(message: String) -> Error {
    Error::new(ErrorKind::Migrations { message })
}
