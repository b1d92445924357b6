//! What can be recorded of a column: one list, of which the attribute's keys and the messages
//! are made.

/// As `threadline::ColumnPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnPolicy {
    Mask,
    Exclude,
    Hash,
    Plain,
}

impl ColumnPolicy {
    /// The variant's name.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Mask => "Mask",
            Self::Exclude => "Exclude",
            Self::Hash => "Hash",
            Self::Plain => "Plain",
        }
    }

    /// What a column of it is, in a message.
    pub(crate) fn participle(self) -> &'static str {
        match self {
            Self::Mask => "masked",
            Self::Exclude => "excluded",
            Self::Hash => "recorded as a keyed hash",
            Self::Plain => "declared plain",
        }
    }

    /// Which of two to choose, where a column has this one and another.
    pub(crate) fn choice(self) -> &'static str {
        match self {
            Self::Mask => "keep it in `mask` if a change of it should be seen, in `exclude` if not",
            Self::Exclude => "keep it in `exclude` if nothing of it should be seen",
            Self::Hash => "keep it in `hash` if equal values should be seen to be equal",
            Self::Plain => "`plain` is for what is no secret, though its name looks like it",
        }
    }

    /// Whether a column of the primary key can have it: by what is recorded, records are found.
    pub(crate) fn suits_a_key(self) -> bool {
        match self {
            Self::Mask | Self::Exclude => false,
            Self::Hash | Self::Plain => true,
        }
    }
}
