use std::fmt;

/// A column of an audited model whose name suggests a secret and that has no explicit
/// policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UndecidedColumn {
    /// The name of the model.
    pub model: String,
    /// The file that declares the table, if no model does.
    pub file: Option<String>,
    /// The quoted name of the table.
    pub table: String,
    /// The name of the column.
    pub column: String,
    /// Whether it belongs to the primary key, which identifies records and cannot be masked
    /// or excluded.
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
                    "{table}, column {column}: list it in `plain` if it is no secret; primary-key columns identify records and cannot be masked or excluded"
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
                "`hash({column})` to record it as a keyed hash, `plain({column})` if it is no secret; primary-key columns identify records and cannot be masked or excluded"
            )
        } else {
            write!(
                f,
                "`exclude({column})` to record nothing of it, `mask({column})` that it changed, `hash({column})` also whether it changed back, `plain({column})` if it is no secret"
            )
        }
    }
}
