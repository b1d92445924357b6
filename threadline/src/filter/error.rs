/// Why a [`Filter`](crate::Filter) cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// There is no such filter.
    #[error("there is no filter `{name}`; the filters are: {allowed}")]
    Unknown {
        /// What was given.
        name: String,
        /// Those that there are.
        allowed: String,
    },
    /// The filter is there and does not take this value.
    #[error("filter `{name}` cannot be `{value}`: {message}")]
    Value {
        /// The filter.
        name: String,
        /// What was given.
        value: String,
        /// What it takes.
        message: String,
    },
    /// There is no such parameter of a [`PageRequest`](crate::PageRequest).
    #[error("there is no parameter `{name}`; the parameters are: {allowed}")]
    UnknownParameter {
        /// What was given.
        name: String,
        /// Those that there are.
        allowed: String,
    },
    /// A parameter of a [`PageRequest`](crate::PageRequest) does not take this value.
    #[error("parameter `{name}` cannot be `{value}`: {message}")]
    Parameter {
        /// The parameter.
        name: String,
        /// What was given.
        value: String,
        /// What it takes.
        message: String,
    },
    /// A parameter without which there is no answer was not given.
    #[error("parameter `{name}` is missing: {message}")]
    Missing {
        /// The parameter.
        name: String,
        /// What it takes.
        message: String,
    },
    /// A filter that can hold one value was given two.
    #[error("filter `{name}` is given twice; leave one of them away")]
    Twice {
        /// The filter.
        name: String,
    },
    /// Nothing can be both.
    #[error("nothing can be both: {first}, and {second}; leave one of them away")]
    Contradiction {
        /// One of the two.
        first: String,
        /// The other.
        second: String,
    },
    /// A key alone names no record.
    #[error("filter `record` needs `table`, because the same key means another record in each")]
    RecordWithoutTable,
    /// A column of a key alone names no table.
    #[error("filter `key` needs `table`, because its column belongs to the key of a table")]
    KeyWithoutTable,
    /// The column is none of the table's key.
    #[error(
        "column {column} does not belong to the key of table {table}, which is {columns}; filter `value` finds a value of any column"
    )]
    KeyColumn {
        /// The table.
        table: String,
        /// What was given.
        column: String,
        /// The key's columns.
        columns: String,
    },
    /// A text is looked for in a span of time.
    #[error("filter `text` needs `from`, because every change since then is read for it")]
    TextWithoutFrom,
    /// There is too much to look through for a text.
    #[error(
        "filter `text` reads every change that the other filters leave, and they leave more than {cap}; narrow them, as with a later `from`, an earlier `to`, a table or an actor"
    )]
    TextCap {
        /// How many are looked through at most.
        cap: usize,
    },
    /// Nothing was ever recorded of such a table.
    #[error("table {table} is not audited and never was; the audited tables are: {audited}")]
    UnknownTable {
        /// What was given.
        table: String,
        /// Those that are or were.
        audited: String,
    },
    /// The key has another number of values than the table's key.
    #[error(
        "the key of table {table} is {columns}; give a value for each, in this order (given: {given})"
    )]
    RecordKey {
        /// The table.
        table: String,
        /// The key's columns.
        columns: String,
        /// How many values were given.
        given: usize,
    },
}

impl FilterError {
    /// The name of the filter or parameter that is wrong, if it is one: what a form marks.
    ///
    /// ```
    /// use threadline::{ErrorKind, Filter};
    ///
    /// let error = Filter::parse([("from", "yesterday")]).unwrap_err();
    /// let ErrorKind::Filter(error) = error.kind() else { unreachable!() };
    /// assert_eq!(error.parameter(), Some("from"));
    /// ```
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Unknown { name, .. }
            | Self::UnknownParameter { name, .. }
            | Self::Value { name, .. }
            | Self::Parameter { name, .. }
            | Self::Missing { name, .. }
            | Self::Twice { name } => Some(name),
            Self::RecordWithoutTable | Self::RecordKey { .. } => Some("record"),
            Self::KeyWithoutTable | Self::KeyColumn { .. } => Some("key"),
            Self::TextWithoutFrom | Self::TextCap { .. } => Some("text"),
            Self::UnknownTable { .. } => Some("table"),
            Self::Contradiction { .. } => None,
        }
    }
}
