//! Finds the folder of the application's migrations in the same way as Diesel's own program.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Folder {
    /// The application's migrations folder
    #[arg(long, env = "MIGRATION_DIRECTORY")]
    migration_dir: Option<PathBuf>,
}

/// The part of `diesel.toml` that is used here.
#[derive(Deserialize)]
struct Config {
    migrations_directory: Option<MigrationsDirectory>,
}

#[derive(Deserialize)]
struct MigrationsDirectory {
    dir: PathBuf,
}

impl Folder {
    pub(super) fn find(self) -> Result<PathBuf, Error> {
        if let Some(dir) = self.migration_dir {
            return Ok(dir);
        }
        let here = env::current_dir().map_err(|source| Error::io(Path::new("."), source))?;
        if let Some(dir) = configured(&here)? {
            return Ok(relative(&dir, &here));
        }
        here.ancestors()
            .map(|dir| dir.join("migrations"))
            .find(|dir| dir.is_dir())
            .map(|dir| relative(&dir, &here))
            .ok_or_else(|| {
                Error::Message(
                    "there is no `migrations` folder here or above; create one with `diesel setup`, or name it with --migration-dir".to_owned(),
                )
            })
    }
}

/// Returns the folder that `diesel.toml` names, relative to the location of that file.
fn configured(here: &Path) -> Result<Option<PathBuf>, Error> {
    let file = match env::var_os("DIESEL_CONFIG_FILE") {
        Some(file) => PathBuf::from(file),
        None => {
            let found = here
                .ancestors()
                .map(|dir| dir.join("diesel.toml"))
                .find(|file| file.is_file());
            let Some(file) = found else { return Ok(None) };
            file
        }
    };
    let text = fs::read_to_string(&file).map_err(|source| Error::io(&file, source))?;
    let config: Config = toml::from_str(&text)
        .map_err(|error| Error::Message(format!("{}: {error}", file.display())))?;
    Ok(config
        .migrations_directory
        .map(|configured| file.parent().unwrap_or(Path::new("")).join(configured.dir)))
}

fn relative(dir: &Path, here: &Path) -> PathBuf {
    dir.strip_prefix(here).unwrap_or(dir).to_owned()
}
