use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// An error of the library.
    Threadline(threadline::Error),
    /// A file or folder could not be read or written.
    Io { path: PathBuf, source: io::Error },
    /// A message that says what is wrong, where, and what to do.
    Message(String),
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threadline(error) => error.fmt(f),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Message(message) => f.write_str(message),
        }
    }
}

// The message includes that of the cause, so `source` would print it twice.
impl std::error::Error for Error {}

impl From<threadline::Error> for Error {
    fn from(error: threadline::Error) -> Self {
        Self::Threadline(error)
    }
}

macro_rules! through_the_library {
    ($($error:ty),+) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Threadline(error.into())
            }
        }
    )+};
}

through_the_library!(
    diesel::result::Error,
    diesel::ConnectionError,
    threadline::ContextError,
    threadline::FilterError
);
