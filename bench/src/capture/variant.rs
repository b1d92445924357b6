/// Ways to write, each with tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    Unaudited,
    /// No trigger: the application itself writes the audit rows.
    Limit,
    Ours,
    /// A generic trigger, fired for each row.
    Textbook,
}

impl Variant {
    pub(super) const ALL: [Self; 4] = [Self::Unaudited, Self::Limit, Self::Ours, Self::Textbook];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unaudited => "unaudited",
            Self::Limit => "limit",
            Self::Ours => "ours",
            Self::Textbook => "textbook",
        }
    }
}
