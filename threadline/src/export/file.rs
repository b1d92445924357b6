use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};

/// A file that gets its final name only when it is complete.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    complete: bool,
}

impl Partial {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let file = File::create(&partial).map_err(|source| io_error(&partial, source))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            partial,
            complete: false,
        })
    }

    pub(super) fn writer(&self) -> impl Write {
        BufWriter::with_capacity(1 << 16, &self.file)
    }

    /// Renames the file to its final name after its data is on disk.
    pub(super) fn complete(mut self) -> Result<(), Error> {
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.partial, &self.path))
            .map_err(|source| io_error(&self.path, source))?;
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

fn io_error(path: &Path, source: io::Error) -> Error {
    Error::new(ErrorKind::Io {
        path: path.to_owned(),
        source,
    })
}
