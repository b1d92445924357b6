use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// No PostgreSQL server is installed.
#[derive(Debug)]
pub struct MissingServer;

impl fmt::Display for MissingServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no PostgreSQL server was found: not by DATABASE_URL, on PATH, through pg_config, or where Debian, Fedora, Homebrew and Postgres.app put it.\nInstall one: {}\nor set DATABASE_URL to a server where databases may be created.",
            install_command()
        )
    }
}

/// How a server and libpq are installed on this platform.
pub fn install_command() -> &'static str {
    if cfg!(target_os = "macos") {
        "brew install postgresql@17"
    } else if Path::new("/usr/bin/apt-get").exists() {
        "sudo apt-get install postgresql libpq-dev"
    } else if Path::new("/usr/bin/dnf").exists() {
        "sudo dnf install postgresql-server libpq-devel"
    } else if Path::new("/sbin/apk").exists() {
        "sudo apk add postgresql postgresql-dev"
    } else if Path::new("/usr/bin/pacman").exists() {
        "sudo pacman -S postgresql"
    } else {
        "the package `postgresql` of your system, with its server and libpq's development files"
    }
}

/// The folder that holds `initdb` and `postgres`.
pub fn find_programs() -> Result<PathBuf, MissingServer> {
    let on_path: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    on_path
        .into_iter()
        .chain(from_pg_config())
        .chain(usual_folders())
        .find_map(|dir| {
            // A link on PATH leads to where the other programs are.
            let postgres = fs::canonicalize(dir.join("postgres")).ok()?;
            let dir = postgres.parent()?.to_owned();
            dir.join("initdb").is_file().then_some(dir)
        })
        .ok_or(MissingServer)
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let dir = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(dir.trim()))
}

fn usual_folders() -> Vec<PathBuf> {
    let versions = |parent: &str, prefix: &str, suffix: &str| {
        let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix(prefix)?;
                let number = version.split('.').next()?.parse().unwrap_or(0);
                Some((number, entry.path().join(suffix)))
            })
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        found.into_iter().map(|(_, path)| path)
    };
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
        .chain(["/usr/local/pgsql/bin".into()])
        .collect()
}
