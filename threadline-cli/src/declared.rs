//! Which tables are to be audited, and how: as models say, or a file.

use threadline::Models;

/// What a program knows of the tables.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) models: Models,
    /// Tables that nobody needs to audit.
    pub(crate) unaudited: Vec<String>,
}

impl Declared {
    pub(crate) fn by(models: Models) -> Self {
        Self {
            models,
            unaudited: vec![],
        }
    }
}
