//! Checks whether libpq can be linked, in the order of the build script of `pq-sys`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::find::{find_program, output_of, pg_config};

/// The location of libpq.
#[derive(Debug)]
pub struct Libpq {
    dir: PathBuf,
    /// Neither the build script nor the linker looks there by itself.
    hidden: bool,
}

impl Libpq {
    /// Returns the libpq that a build links with.
    pub fn find() -> Option<Self> {
        let seen = from_environment()
            .into_iter()
            .chain(from_pkg_config())
            .chain(pg_config(Path::new("pg_config"), "--libdir"))
            .chain(folders_of_the_linker())
            .map(|dir| Self { dir, hidden: false });
        // Homebrew and Postgres.app put nothing on PATH.
        let hidden = find_program("pg_config")
            .and_then(|program| pg_config(&program, "--libdir"))
            .map(|dir| Self { dir, hidden: true });
        seen.chain(hidden).find(|libpq| has_libpq(&libpq.dir))
    }

    /// Makes it known to a cargo command, too.
    pub fn tell(&self, cargo: &mut Command) {
        if self.hidden {
            cargo.env("PQ_LIB_DIR", &self.dir);
        }
    }
}

fn has_libpq(dir: &Path) -> bool {
    ["libpq.so", "libpq.dylib"]
        .iter()
        .any(|name| dir.join(name).is_file())
}

fn from_environment() -> Option<PathBuf> {
    env::var_os("PQ_LIB_DIR").map(PathBuf::from)
}

fn from_pkg_config() -> Option<PathBuf> {
    output_of(Path::new("pkg-config"), &["--variable=libdir", "libpq"]).map(PathBuf::from)
}

fn folders_of_the_linker() -> impl Iterator<Item = PathBuf> {
    // Debian: /usr/lib/x86_64-linux-gnu.
    let of_architecture = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(env::consts::ARCH) && name.contains("-linux-")
        })
        .map(|entry| entry.path());
    ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        .into_iter()
        .map(PathBuf::from)
        .chain(of_architecture)
}
