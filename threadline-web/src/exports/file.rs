//! The file of an export.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::failure::Failure;
use crate::texts;

/// A file without a name, which only this process can open. It is removed when it is dropped,
/// or when the process ends.
#[derive(Debug)]
pub(crate) struct ExportFile {
    file: File,
    bytes: u64,
    max: u64,
}

impl ExportFile {
    /// Creates a file in a directory. On Unix, only its owner may read it (mode 0600).
    pub(crate) fn create(directory: &Path, max: u64) -> Result<Self, Failure> {
        let file = tempfile::tempfile_in(directory).map_err(storage)?;
        // A file without a name gets its mode from the umask.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .map_err(storage)?;
        Ok(Self {
            file,
            bytes: 0,
            max,
        })
    }

    /// Appends to the file.
    pub(crate) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        let bytes = self.bytes + piece.len() as u64;
        if bytes > self.max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all(piece)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Returns the size.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads up to `length` bytes from a place. Several readers may read at the same time.
    pub(crate) fn read_at(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.bytes.saturating_sub(place)).unwrap_or(usize::MAX);
        let mut piece = vec![0; length.min(left)];
        let mut filled = 0;
        while filled < piece.len() {
            match read_some(&self.file, &mut piece[filled..], place + filled as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(piece)
    }
}

#[cfg(unix)]
fn read_some(file: &File, piece: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, piece, place)
}

#[cfg(windows)]
fn read_some(file: &File, piece: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, piece, place)
}

/// Describes an error of the file system without its path.
pub(super) fn storage(error: io::Error) -> Failure {
    Failure::Storage(format!("{}. {}", error.kind(), texts::NO_STORAGE_HELP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn what_was_written_is_read_at_any_place() {
        let directory = directory();
        let mut file = ExportFile::create(directory.path(), 100).unwrap();
        file.append(b"invoice ").unwrap();
        file.append(b"paid").unwrap();
        assert_eq!(file.bytes(), 12);
        assert_eq!(file.read_at(8, 100).unwrap(), b"paid");
        assert_eq!(file.read_at(0, 7).unwrap(), b"invoice");
        assert!(file.read_at(12, 7).unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_open_the_file() {
        use std::os::unix::fs::PermissionsExt;

        let directory = directory();
        let mut file = ExportFile::create(directory.path(), 100).unwrap();
        file.append(b"secret").unwrap();
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
        let mode = file.file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_and_a_missing_directory_are_named_without_the_path() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut file = ExportFile {
            file: full,
            bytes: 0,
            max: 100,
        };
        let message = |failure: Failure| match failure {
            Failure::Storage(message) => message,
            other => panic!("{other:?}"),
        };
        let error = file.append(b"x").unwrap_err();
        assert!(message(storage(error)).starts_with("no storage space. "));
        assert_eq!(file.bytes(), 0);
        let missing = ExportFile::create(Path::new("/missing/secret"), 100).unwrap_err();
        assert!(message(missing).starts_with("entity not found. "));
    }

    #[test]
    fn a_file_does_not_grow_beyond_its_maximum() {
        let directory = directory();
        let mut file = ExportFile::create(directory.path(), 10).unwrap();
        file.append(b"0123456789").unwrap();
        let error = file.append(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
