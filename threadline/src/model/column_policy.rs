/// What is recorded of a column, where a policy says so; of every other one its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnPolicy {
    /// A placeholder: that the value changed can be seen.
    Mask,
    /// Nothing, and a change of the column alone leaves no trace.
    Exclude,
    /// A keyed hash: equal values of one column have equal hashes.
    Hash,
    /// The value: it is no secret, though the column's name looks like it.
    Plain,
}

impl ColumnPolicy {
    /// All of them, in the order in which a migration names them.
    pub const ALL: [Self; 4] = [Self::Mask, Self::Exclude, Self::Hash, Self::Plain];

    /// Its name in `#[audited(...)]`, in the arguments of `threadline.audit()` and in a file of
    /// tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Exclude => "exclude",
            Self::Hash => "hash",
            Self::Plain => "plain",
        }
    }

    /// Whether the value is kept from the audit.
    pub fn redacts(self) -> bool {
        match self {
            Self::Mask | Self::Exclude | Self::Hash => true,
            Self::Plain => false,
        }
    }
}
