//! Names of the packages that provide PostgreSQL, and the programs that read exports.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fmt, io};

use crate::find::{OLDEST, on_path};
use crate::start::is_root;

/// Pieces that a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// `initdb`, `pg_ctl` and `postgres`.
    Server,
    /// `psql` and `pg_dump`.
    Client,
    /// The client library, to link with.
    Libpq,
    /// `pgbench`.
    Pgbench,
    /// `python3`, which reads CSV exports.
    Python,
    /// `jq`, which reads JSON exports.
    Jq,
    /// `npm`, whose packages contain the newest server.
    Npm,
    /// `chromedriver`, and the browser that it drives.
    Browser,
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => write!(f, "a PostgreSQL server, {OLDEST} or later"),
            Self::Client => write!(f, "PostgreSQL's client programs, psql and pg_dump"),
            Self::Libpq => write!(f, "libpq to link with, libpq.so or libpq.dylib"),
            Self::Pgbench => write!(f, "pgbench, which puts the audit under load in the tests"),
            Self::Python => write!(f, "python3, which reads exported CSV again in the tests"),
            Self::Jq => write!(f, "jq, which reads exported JSON again in the tests"),
            Self::Browser => write!(
                f,
                "chromedriver with Chromium, in which the tests open the explorer"
            ),
            Self::Npm => write!(f, "npm, which brings the newest PostgreSQL for the tests"),
        }
    }
}

/// The package manager of this machine.
#[derive(Debug)]
pub struct PackageManager {
    program: &'static str,
    /// A file that only a system of this manager has: a machine may well have the
    /// programs of another one.
    marker: &'static str,
    arguments: &'static [&'static str],
    server: &'static str,
    client: &'static str,
    libpq: &'static str,
    pgbench: &'static str,
    python: &'static str,
    npm: &'static str,
    browser: &'static str,
}

const MANAGERS: [PackageManager; 5] = [
    PackageManager {
        program: "apt-get",
        marker: "/etc/debian_version",
        arguments: &["install", "-y", "--no-install-recommends"],
        server: "postgresql",
        client: "postgresql-client",
        libpq: "libpq-dev",
        pgbench: "postgresql",
        python: "python3",
        npm: "npm",
        browser: "chromium-driver",
    },
    PackageManager {
        program: "dnf",
        marker: "/etc/redhat-release",
        arguments: &["install", "-y"],
        server: "postgresql-server",
        client: "postgresql",
        libpq: "libpq-devel",
        pgbench: "postgresql-contrib",
        python: "python3",
        npm: "npm",
        browser: "chromedriver",
    },
    PackageManager {
        program: "apk",
        marker: "/etc/alpine-release",
        arguments: &["add"],
        server: "postgresql",
        client: "postgresql-client",
        libpq: "postgresql-dev",
        pgbench: "postgresql-contrib",
        python: "python3",
        npm: "npm",
        browser: "chromium-chromedriver",
    },
    PackageManager {
        program: "pacman",
        marker: "/etc/arch-release",
        arguments: &["-S", "--noconfirm", "--needed"],
        server: "postgresql",
        client: "postgresql",
        libpq: "postgresql-libs",
        pgbench: "postgresql",
        python: "python",
        npm: "npm",
        browser: "chromium",
    },
    PackageManager {
        program: "brew",
        marker: "/System/Library",
        arguments: &["install"],
        server: "postgresql@17",
        client: "postgresql@17",
        libpq: "postgresql@17",
        pgbench: "postgresql@17",
        python: "python",
        npm: "node",
        browser: "chromedriver",
    },
];

/// Debian's server package creates a permanent cluster and starts it unless disabled. The
/// tests need none.
const APT: &str = r#"
conf=/etc/postgresql-common/createcluster.d/threadline.conf
forget() { rm -f "$conf"; rmdir -p "${conf%/*}" 2>/dev/null; }
trap forget EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "${conf%/*}" && echo 'create_main_cluster = false' >"$conf"
apt-get update
apt-get "$@"
"#;

impl PackageManager {
    /// Returns the manager of this system.
    pub fn of_this_machine() -> Option<&'static Self> {
        MANAGERS.iter().find(|manager| {
            Path::new(manager.marker).exists()
                && on_path().any(|dir| dir.join(manager.program).is_file())
        })
    }

    /// Installs packages for the pieces, through sudo if that needs root, which may
    /// prompt for a password. Its output goes to standard error.
    pub fn install(&self, pieces: &[Piece]) -> Result<(), String> {
        let mut words = vec![];
        if self.needs_root() && !is_root() {
            words.push("sudo");
        }
        if self.program == "apt-get" {
            words.extend([
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "sh",
                "-c",
                APT,
                "apt",
            ]);
        } else {
            words.push(self.program);
        }
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(self.arguments)
            .args(self.packages(pieces))
            .stdin(Stdio::null())
            .stdout(io::stderr());
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} ended with {status}", self.program)),
            Err(error) => Err(format!("{}: {error}", self.program)),
        }
    }

    /// Returns the command that installs the pieces.
    pub fn command_line(&self, pieces: &[Piece]) -> String {
        let sudo = if self.needs_root() && !is_root() {
            "sudo "
        } else {
            ""
        };
        let arguments = self
            .arguments
            .iter()
            .filter(|a| !matches!(**a, "-y" | "--noconfirm"));
        let words: Vec<_> = arguments.copied().chain(self.packages(pieces)).collect();
        format!("{sudo}{} {}", self.program, words.join(" "))
    }

    fn needs_root(&self) -> bool {
        self.program != "brew"
    }

    fn packages(&self, pieces: &[Piece]) -> Vec<&'static str> {
        let mut packages: Vec<_> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Server => self.server,
                Piece::Client => self.client,
                Piece::Libpq => self.libpq,
                Piece::Pgbench => self.pgbench,
                Piece::Python => self.python,
                Piece::Jq => "jq",
                Piece::Npm => self.npm,
                Piece::Browser => self.browser,
            })
            .collect();
        packages.dedup();
        packages
    }
}

/// Returns the sentence with the command that installs the pieces.
pub fn how_to_install(pieces: &[Piece]) -> String {
    match PackageManager::of_this_machine() {
        Some(manager) => format!("Install with:\n\n    {}\n", manager.command_line(pieces)),
        None if cfg!(target_os = "macos") => {
            "Install Homebrew (https://brew.sh), and run this again.".to_owned()
        }
        None => "Install them with your system's packages; for PostgreSQL's see https://www.postgresql.org/download/.".to_owned(),
    }
}
