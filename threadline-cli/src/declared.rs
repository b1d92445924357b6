//! The declared tables and their policies, from models or from a file.

use threadline::Models;

/// The tables that a program knows.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) models: Models,
    /// Tables that do not need an audit.
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
