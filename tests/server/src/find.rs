use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs};

use crate::packages::{Piece, how_to_install};

/// The oldest PostgreSQL that the audit schema runs on.
pub const OLDEST: u32 = 15;

/// The folder with the server's programs, which excludes others. Programs that the folder
/// lacks, `psql` for example, are looked up elsewhere.
pub const CHOICE: &str = "THREADLINE_POSTGRES";

/// No PostgreSQL server is installed, or only an old one.
#[derive(Debug)]
pub struct MissingServer {
    /// The only folder that was searched, if one was named.
    pub choice: Option<PathBuf>,
    /// The version that was found instead.
    pub too_old: Option<u32>,
}

impl fmt::Display for MissingServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = &self.choice {
            return write!(
                f,
                "{CHOICE} is {}, where there are no initdb, pg_ctl and postgres that run, of version {OLDEST} or later",
                dir.display()
            );
        }
        match self.too_old {
            Some(version) => write!(
                f,
                "PostgreSQL {version} is installed, and {OLDEST} or later is needed: see https://www.postgresql.org/download/"
            )?,
            None => write!(
                f,
                "no PostgreSQL server was found: not by DATABASE_URL, on PATH, through pg_config, or where Debian, Fedora, Homebrew and Postgres.app put it.\n{}",
                how_to_install(&[Piece::Server, Piece::Client])
            )?,
        }
        write!(
            f,
            "\nOr set DATABASE_URL to a server where databases may be created."
        )
    }
}

/// Returns the folder that holds `initdb`, `pg_ctl` and `postgres`.
pub fn find_programs() -> Result<PathBuf, MissingServer> {
    find_programs_for(choice())
}

fn find_programs_for(choice: Option<PathBuf>) -> Result<PathBuf, MissingServer> {
    match choice {
        Some(dir) => find_programs_in([dir.clone()]).map_err(|missing| MissingServer {
            choice: Some(dir),
            ..missing
        }),
        None => find_programs_in(folders()),
    }
}

fn find_programs_in(folders: impl IntoIterator<Item = PathBuf>) -> Result<PathBuf, MissingServer> {
    let mut too_old = None;
    for dir in folders {
        // A link on PATH points to the folder of the other programs.
        let Ok(postgres) = fs::canonicalize(dir.join("postgres")) else {
            continue;
        };
        let Some(dir) = postgres.parent() else {
            continue;
        };
        let complete = ["initdb", "pg_ctl"]
            .iter()
            .all(|name| dir.join(name).is_file());
        match major_version(&postgres) {
            Some(version) if complete && version >= OLDEST => return Ok(dir.to_owned()),
            Some(version) if complete => too_old = Some(version),
            _ => {}
        }
    }
    Err(MissingServer {
        choice: None,
        too_old,
    })
}

/// Returns one of PostgreSQL's client programs if it runs: Debian has a `psql` before any
/// client is installed.
pub fn find_program(name: &str) -> Option<PathBuf> {
    folders()
        .map(|dir| dir.join(name))
        .find(|program| program.is_file() && version_line(program).is_some())
}

/// Returns the folders in which programs may be: those on PATH come first.
fn folders() -> impl Iterator<Item = PathBuf> {
    choice()
        .into_iter()
        .chain(on_path())
        .chain(pg_config(Path::new("pg_config"), "--bindir"))
        .chain(usual_folders())
}

/// Returns the folder that the user chose.
pub fn choice() -> Option<PathBuf> {
    env::var_os(CHOICE)
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
}

/// Returns the folders on PATH.
pub(crate) fn on_path() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A relative one would depend on the current folder.
    let dirs: Vec<_> = env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .collect();
    dirs.into_iter()
}

/// Returns a folder that `pg_config` knows.
pub(crate) fn pg_config(program: &Path, option: &str) -> Option<PathBuf> {
    Some(PathBuf::from(output_of(program, &[option])?))
}

/// Returns what a program prints if it succeeds.
pub(crate) fn output_of(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

fn version_line(program: &Path) -> Option<String> {
    output_of(program, &["--version"])
}

/// Returns the major version of one of PostgreSQL's programs, if it runs.
pub fn major_version(program: &Path) -> Option<u32> {
    parse_major_version(&version_line(program)?)
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`. `19beta1` and `19devel` are
/// not released, and are not supported.
fn parse_major_version(line: &str) -> Option<u32> {
    let (_, version) = line.split_once(") ")?;
    let (major, _minor) = version.split_once('.')?;
    major.parse().ok()
}

fn usual_folders() -> impl Iterator<Item = PathBuf> {
    versions("/usr/lib/postgresql", "", "bin")
        .chain(versions("/usr", "pgsql-", "bin"))
        .chain(versions("/usr/libexec", "postgresql", ""))
        .chain(versions("/opt/homebrew/opt", "postgresql@", "bin"))
        .chain(versions("/usr/local/opt", "postgresql@", "bin"))
        .chain(versions(
            "/Applications/Postgres.app/Contents/Versions",
            "",
            "bin",
        ))
        .chain(
            [
                "/opt/homebrew/opt/libpq/bin",
                "/usr/local/opt/libpq/bin",
                "/usr/local/pgsql/bin",
            ]
            .map(PathBuf::from),
        )
}

/// Returns the folders of a parent that are named by a version, newest first.
fn versions(parent: &str, prefix: &str, suffix: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?;
            let number = version.split('.').next()?.parse().ok()?;
            Some((number, entry.path().join(suffix)))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::{find_programs_for, parse_major_version};

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)";
        assert_eq!(parse_major_version(debian), Some(15));
        for unreleased in ["19beta1", "19rc1", "19devel"] {
            let line = format!("postgres (PostgreSQL) {unreleased}");
            assert_eq!(parse_major_version(&line), None, "{unreleased}");
        }
        assert_eq!(parse_major_version("postgres: command not found"), None);
    }

    #[test]
    fn a_chosen_folder_without_a_server_is_not_replaced_by_another() {
        let missing = find_programs_for(Some("/nowhere".into())).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("THREADLINE_POSTGRES is /nowhere, where there are no initdb")
        );
    }
}
