//! Exports that run in the background, each into a file that only its viewer can fetch.

mod file;
mod job;
mod jobs;
mod work;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::access::limited;

pub(crate) use self::file::ExportFile;
pub(crate) use self::job::{Job, State};
pub(crate) use self::jobs::Jobs;
pub(crate) use self::work::{cancel, start};

/// How the explorer exports: what it streams, and how larger exports run in the background.
///
/// ```
/// use std::time::Duration;
/// use threadline_web::Exports;
///
/// let exports = Exports::new()
///     .directory("/var/lib/invoicing/exports")
///     .stream_up_to(10_000)
///     .keep_for(Duration::from_secs(15 * 60));
/// ```
///
/// An export of more changes than [`stream_up_to`](Self::stream_up_to) runs in the background,
/// on a connection of its own, and writes to a file. A page shows its progress, and then a link
/// to the file. The link works for the viewer who began the export, as long as they may export
/// and their scope is the same.
///
/// The file has no name in the directory: no other program can open it, and the operating
/// system removes it when the process ends, also after a crash.
#[derive(Debug, Clone)]
#[must_use = "the options do nothing before `Explorer::exports`"]
pub struct Exports {
    pub(crate) directory: PathBuf,
    pub(crate) streamed: usize,
    pub(crate) parallel: usize,
    pub(crate) timeout: Duration,
    pub(crate) kept: Duration,
    pub(crate) bytes: u64,
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Default for Exports {
    fn default() -> Self {
        Self {
            directory: env::temp_dir(),
            streamed: 50_000,
            parallel: 2,
            timeout: Duration::from_secs(30 * 60),
            kept: Duration::from_secs(60 * 60),
            bytes: 4 << 30,
        }
    }
}

impl Exports {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the directory of the files; the default is the temporary directory of the system.
    /// It must exist, be on a local disk, and have space for the files.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Sets the number of changes up to which an export is streamed into the response; the
    /// default is 50,000. With 0, every export runs in the background.
    pub fn stream_up_to(mut self, changes: usize) -> Self {
        self.streamed = changes;
        self
    }

    /// Sets the number of exports that run in the background at the same time, each on a
    /// connection of the pool; the default is 2. Further exports wait.
    pub fn parallel(mut self, exports: usize) -> Self {
        self.parallel = exports.max(1);
        self
    }

    /// Sets the time after which an export in the background fails; the default is 30
    /// minutes. It reads one snapshot, which keeps vacuum from removing newer dead rows.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = limited(timeout);
        self
    }

    /// Sets the time after which a finished file is removed; the default is 1 hour.
    pub fn keep_for(mut self, time: Duration) -> Self {
        self.kept = time.min(YEAR);
        self
    }

    /// Sets the maximum size of a file in bytes; the default is 4 GiB. A larger export fails.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }
}
