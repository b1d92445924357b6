use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind as Io, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::Error;

/// The number of names that are tried until one is free.
const ATTEMPTS: u32 = 1000;

/// A file that gets its final name only when it is complete. Each export has one of its own,
/// which only its owner may read.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    complete: bool,
}

impl Partial {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let mut attempt = 0;
        loop {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}-{attempt}.partial", process::id()));
            let partial = PathBuf::from(name);
            match create_new(&partial) {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        path: path.to_owned(),
                        partial,
                        complete: false,
                    });
                }
                Err(error) if error.kind() == Io::AlreadyExists && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(Error::io(&partial, error)),
            }
        }
    }

    pub(super) fn writer(&self) -> impl Write {
        BufWriter::with_capacity(1 << 16, &self.file)
    }

    /// Renames the file to its final name after its data is on disk.
    pub(super) fn complete(mut self) -> Result<(), Error> {
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.partial, &self.path))
            .map_err(|source| Error::io(&self.path, source))?;
        self.complete = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.complete {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Creates a file that was not there. A link that somebody left under the name is not
/// followed.
fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
