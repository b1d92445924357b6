//! What demo and tests need besides Rust: a PostgreSQL server and libpq.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use threadline_test_server::{find_programs, install_command};

/// Makes sure that everything is there, installing it where that is allowed
/// without asking: as root through the system's packages, with Homebrew as
/// anybody.
pub(crate) fn provision() -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let what = missing.join(" and ");
    let Some(installer) = installer() else {
        return Err(format!(
            "{what} not found. Install with\n\n    {}\n\nor, for the server, set DATABASE_URL to one where databases may be created.",
            install_command()
        ));
    };
    eprintln!("{what} not found; installing with the system's package manager");
    for command in installer {
        eprintln!("    {}", command.join(" "));
        let status = Command::new(command[0])
            .args(&command[1..])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .map_err(|error| format!("{}: {error}", command[0]))?;
        if !status.success() {
            return Err(format!(
                "`{}` failed; run it yourself to see why",
                command.join(" ")
            ));
        }
    }
    let missing = self::missing();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} still not found after installing",
            missing.join(" and ")
        ))
    }
}

fn missing() -> Vec<&'static str> {
    let server =
        env::var("DATABASE_URL").is_ok_and(|url| !url.is_empty()) || find_programs().is_ok();
    let mut missing = vec![];
    if !server {
        missing.push("a PostgreSQL server");
    }
    if !libpq_is_there() {
        missing.push("libpq (PostgreSQL's client library, with what is needed to link it)");
    }
    missing
}

/// The commands that install what is missing, if we may run them.
fn installer() -> Option<Vec<Vec<&'static str>>> {
    let exists = |path: &str| Path::new(path).exists();
    let packages: &[&[&str]] = if cfg!(target_os = "macos") {
        let brew = ["/opt/homebrew/bin/brew", "/usr/local/bin/brew"]
            .into_iter()
            .find(|path| exists(path))?;
        return Some(vec![vec![brew, "install", "postgresql@17"]]);
    } else if !is_root() {
        return None;
    } else if exists("/usr/bin/apt-get") {
        &[
            &["apt-get", "update", "-q"],
            &[
                "apt-get",
                "install",
                "-q",
                "-y",
                "--no-install-recommends",
                "postgresql",
                "libpq-dev",
            ],
        ]
    } else if exists("/usr/bin/dnf") {
        &[&["dnf", "install", "-y", "postgresql-server", "libpq-devel"]]
    } else if exists("/sbin/apk") {
        &[&["apk", "add", "postgresql", "postgresql-dev"]]
    } else if exists("/usr/bin/pacman") {
        &[&["pacman", "-Sy", "--noconfirm", "postgresql"]]
    } else {
        return None;
    };
    Some(packages.iter().map(|command| command.to_vec()).collect())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Whether the build of `pq-sys` will find libpq: it asks PQ_LIB_DIR,
/// pkg-config, pg_config, and then leaves it to the linker.
fn libpq_is_there() -> bool {
    env::var_os("PQ_LIB_DIR").is_some()
        || succeeds(Command::new("pkg-config").args(["--exists", "libpq"]))
        || lib_dir_of(Path::new("pg_config")).is_some()
        || linker_folders().iter().any(|dir| holds_libpq(dir))
        || libpq_dir().is_some()
}

/// Where libpq is when only the server's own pg_config knows, as with
/// Homebrew's versioned formulas and Postgres.app.
pub(crate) fn libpq_dir() -> Option<PathBuf> {
    if env::var_os("PQ_LIB_DIR").is_some() || lib_dir_of(Path::new("pg_config")).is_some() {
        return None;
    }
    lib_dir_of(&find_programs().ok()?.join("pg_config"))
}

fn lib_dir_of(pg_config: &Path) -> Option<PathBuf> {
    let output = Command::new(pg_config).arg("--libdir").output().ok()?;
    let dir = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    holds_libpq(&dir).then_some(dir)
}

fn linker_folders() -> Vec<PathBuf> {
    let machine = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    ["/usr/lib", "/usr/lib64", "/usr/local/lib", &machine]
        .into_iter()
        .map(PathBuf::from)
        .collect()
}

/// The name that the linker asks for; `libpq.so.5` alone does not do.
fn holds_libpq(dir: &Path) -> bool {
    ["libpq.so", "libpq.dylib", "libpq.a"]
        .iter()
        .any(|name| dir.join(name).exists())
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
