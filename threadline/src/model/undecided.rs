use std::fmt;

/// A column of an audited model that looks secret by its name, and of which the
/// model says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UndecidedColumn {
    /// The model's name.
    pub model: String,
    /// The file that declares the table, if no model does.
    pub file: Option<String>,
    /// The quoted name of its table.
    pub table: String,
    /// The column's name.
    pub column: String,
    /// Whether records are found by it, so that it can be neither masked nor excluded.
    pub is_key: bool,
}

impl fmt::Display for UndecidedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            model,
            file,
            table,
            column,
            is_key,
        } = self;
        if file.is_some() {
            return if *is_key {
                write!(
                    f,
                    "{table}, column {column}: list it in `plain` if it is no secret; by a key records are found, which can be neither masked nor excluded"
                )
            } else {
                write!(
                    f,
                    "{table}, column {column}: list it in `exclude` to record nothing of it, in `mask` that it changed, in `hash` also whether it changed back, in `plain` if it is no secret"
                )
            };
        }
        write!(f, "{table}.\"{column}\", model `{model}`: ")?;
        if *is_key {
            write!(
                f,
                "`hash({column})` to record it as a keyed hash, by which records are found, `plain({column})` if it is no secret; a key can be neither masked nor excluded"
            )
        } else {
            write!(
                f,
                "`exclude({column})` to record nothing of it, `mask({column})` that it changed, `hash({column})` also whether it changed back, `plain({column})` if it is no secret"
            )
        }
    }
}
