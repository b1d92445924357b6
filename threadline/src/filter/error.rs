/// The reason why a [`Filter`](crate::Filter) cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// No filter has this name.
    #[error("there is no filter `{name}`; the filters are: {allowed}")]
    Unknown {
        /// The given name.
        name: String,
        /// The valid names.
        allowed: String,
    },
    /// The filter does not accept this value.
    #[error("filter `{name}` cannot be `{value}`: {message}")]
    Value {
        /// The filter.
        name: String,
        /// The given value.
        value: String,
        /// The accepted values.
        message: String,
    },
    /// No parameter of a [`PageRequest`](crate::PageRequest) has this name.
    #[error("there is no parameter `{name}`; the parameters are: {allowed}")]
    UnknownParameter {
        /// The given name.
        name: String,
        /// The valid names.
        allowed: String,
    },
    /// A parameter of a [`PageRequest`](crate::PageRequest) does not take this value.
    #[error("parameter `{name}` cannot be `{value}`: {message}")]
    Parameter {
        /// The parameter.
        name: String,
        /// The given value.
        value: String,
        /// The accepted values.
        message: String,
    },
    /// A required parameter is missing.
    #[error("parameter `{name}` is missing: {message}")]
    Missing {
        /// The parameter.
        name: String,
        /// The accepted values.
        message: String,
    },
    /// A filter that accepts one value was given two.
    #[error("filter `{name}` is given twice; remove one of them")]
    Twice {
        /// The filter.
        name: String,
    },
    /// Two conditions exclude each other.
    #[error("nothing can be both: {first}, and {second}; remove one of them")]
    Contradiction {
        /// One of the two.
        first: String,
        /// The other.
        second: String,
    },
    /// A key without a table identifies no record.
    #[error("filter `record` needs `table`, because the same key means another record in each")]
    RecordWithoutTable,
    /// A key column without a table identifies no key.
    #[error("filter `key` needs `table`, because its column belongs to the key of a table")]
    KeyWithoutTable,
    /// The column does not belong to the key of the table.
    #[error(
        "column {column} does not belong to the key of table {table}, which is {columns}; filter `value` finds a value of any column"
    )]
    KeyColumn {
        /// The table.
        table: String,
        /// The given column.
        column: String,
        /// The columns of the key.
        columns: String,
    },
    /// A search for a text needs a time span.
    #[error("filter `text` needs `from`, because every change since then is read for it")]
    TextWithoutFrom,
    /// There are too many changes to search for a text.
    #[error(
        "filter `text` reads every change that the other filters leave, and they leave more than {cap}; narrow them, as with a later `from`, an earlier `to`, a table or an actor"
    )]
    TextCap {
        /// The maximum number of changes that are searched.
        cap: usize,
    },
    /// The table was never audited.
    #[error("table {table} is not audited and never was; the audited tables are: {audited}")]
    UnknownTable {
        /// The given name.
        table: String,
        /// The tables that are or were audited.
        audited: String,
    },
    /// The table has no column of this name, and never had.
    #[error(
        "filter `{name}`: table {table} has no column {column}, and never had{}",
        near.as_ref().map_or(String::new(), |near| format!("; did you mean {near}?"))
    )]
    UnknownColumn {
        /// The filter.
        name: String,
        /// The table.
        table: String,
        /// The given column.
        column: String,
        /// A similar column of the table.
        near: Option<String>,
    },
    /// The policy of the table excludes the column.
    #[error(
        "filter `{name}`: column {column} of table {table} is excluded: its changes are not recorded"
    )]
    ExcludedColumn {
        /// The filter.
        name: String,
        /// The table.
        table: String,
        /// The given column.
        column: String,
    },
    /// The number of key values differs from the number of key columns.
    #[error(
        "the key of table {table} is {columns}; give a value for each, in this order (given: {given})"
    )]
    RecordKey {
        /// The table.
        table: String,
        /// The columns of the key.
        columns: String,
        /// The number of given values.
        given: usize,
    },
}

impl FilterError {
    /// Returns the name of the invalid filter or parameter, if the error concerns one, for
    /// marking it in a form.
    ///
    /// ```
    /// use threadline::Filter;
    ///
    /// let error = Filter::parse([("from", "someday")]).unwrap_err();
    /// assert_eq!(error.parameter(), Some("from"));
    /// ```
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Unknown { name, .. }
            | Self::UnknownParameter { name, .. }
            | Self::Value { name, .. }
            | Self::Parameter { name, .. }
            | Self::Missing { name, .. }
            | Self::UnknownColumn { name, .. }
            | Self::ExcludedColumn { name, .. }
            | Self::Twice { name } => Some(name),
            Self::RecordWithoutTable | Self::RecordKey { .. } => Some("record"),
            Self::KeyWithoutTable | Self::KeyColumn { .. } => Some("key"),
            Self::TextWithoutFrom | Self::TextCap { .. } => Some("text"),
            Self::UnknownTable { .. } => Some("table"),
            Self::Contradiction { .. } => None,
        }
    }
}
