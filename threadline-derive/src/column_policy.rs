//! The column policies: one list, from which the keys of the attribute and the messages are
//! built.

/// Same as `threadline::ColumnPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnPolicy {
    Mask,
    Exclude,
    Hash,
    Plain,
}

impl ColumnPolicy {
    /// Returns the name of the variant.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Mask => "Mask",
            Self::Exclude => "Exclude",
            Self::Hash => "Hash",
            Self::Plain => "Plain",
        }
    }

    /// Returns the word for a column with this policy in a message.
    pub(crate) fn participle(self) -> &'static str {
        match self {
            Self::Mask => "masked",
            Self::Exclude => "excluded",
            Self::Hash => "recorded as a keyed hash",
            Self::Plain => "declared plain",
        }
    }

    /// Returns the advice for a column that has this policy and another one.
    pub(crate) fn choice(self) -> &'static str {
        match self {
            Self::Mask => "keep it in `mask` if a change of it should be seen, in `exclude` if not",
            Self::Exclude => "keep it in `exclude` if nothing of it should be seen",
            Self::Hash => "keep it in `hash` if equal values should be seen to be equal",
            Self::Plain => "`plain` is for what is no secret, though its name looks like it",
        }
    }

    /// Returns whether a primary-key column can have this policy. The recorded value must
    /// identify the record.
    pub(crate) fn suits_a_key(self) -> bool {
        match self {
            Self::Mask | Self::Exclude => false,
            Self::Hash | Self::Plain => true,
        }
    }
}
