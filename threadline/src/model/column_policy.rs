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
    Token,
    /// The value. It is not a secret, although the name of the column suggests one.
    Clear,
}

impl ColumnPolicy {
    /// All column policies, in the order in which a migration names them.
    pub const ALL: [Self; 4] = [Self::Mask, Self::Exclude, Self::Token, Self::Clear];

    /// Returns the name in `#[audited(...)]`, in the arguments of `threadline.audit()` and
    /// in a file of tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Exclude => "exclude",
            Self::Token => "token",
            Self::Clear => "clear",
        }
    }

    /// Returns whether the value is not recorded.
    pub fn redacts(self) -> bool {
        match self {
            Self::Mask | Self::Exclude | Self::Token => true,
            Self::Clear => false,
        }
    }
}
