/// The column policy: what is recorded of a column. Columns without one are recorded with
/// their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnPolicy {
    /// A placeholder, which shows that the value changed.
    Mask,
    /// Nothing. A change of this column alone is not recorded.
    Exclude,
    /// A keyed hash. Equal values of one column have equal hashes.
    Hash,
    /// The value. It is not a secret, although the name of the column suggests one.
    Plain,
}

impl ColumnPolicy {
    /// All column policies, in the order in which a migration names them.
    pub const ALL: [Self; 4] = [Self::Mask, Self::Exclude, Self::Hash, Self::Plain];

    /// Returns the name in `#[audited(...)]`, in the arguments of `threadline.audit()` and
    /// in a file of tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Exclude => "exclude",
            Self::Hash => "hash",
            Self::Plain => "plain",
        }
    }

    /// Returns whether the value is not recorded.
    pub fn redacts(self) -> bool {
        match self {
            Self::Mask | Self::Exclude | Self::Hash => true,
            Self::Plain => false,
        }
    }
}
