use crate::capture::context::Context;

/// Ways to write, each with tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    Unaudited,
    /// No trigger: the application writes the audit rows.
    Limit,
    Ours,
    /// A generic trigger, fired for each row.
    Textbook,
    /// An event table for each table, written by row triggers.
    Typed,
    /// The same, by statement triggers.
    TypedStmt,
}

impl Variant {
    pub(super) const ALL: [Self; 6] = [
        Self::Unaudited,
        Self::Limit,
        Self::Ours,
        Self::Textbook,
        Self::Typed,
        Self::TypedStmt,
    ];

    /// Variants that need no SQL of their own for a write.
    pub(super) const BY_TRIGGERS: [Self; 5] = [
        Self::Unaudited,
        Self::Ours,
        Self::Textbook,
        Self::Typed,
        Self::TypedStmt,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unaudited => "unaudited",
            Self::Limit => "limit",
            Self::Ours => "ours",
            Self::Textbook => "textbook",
            Self::Typed => "typed",
            Self::TypedStmt => "typed-stmt",
        }
    }

    /// Returns the prefix of its tables' names.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::TypedStmt => "typed_stmt",
            _ => self.name(),
        }
    }

    /// Returns its table of this name or width.
    pub(super) fn table(self, of: &str) -> String {
        format!("{}_{of}", self.prefix())
    }

    /// Returns SQL that creates the triggers of a table in the schema `bench`, if there
    /// are any.
    pub(super) fn audit(self, table: &str, key: &[&str]) -> String {
        let target = format!("'bench.{table}'");
        match self {
            Self::Unaudited | Self::Limit => "SELECT;".to_owned(),
            Self::Ours => format!("SELECT bench.audit({target});"),
            Self::Textbook => {
                let key: String = key.iter().map(|column| format!(", '{column}'")).collect();
                format!("SELECT textbook.audit({target}{key});")
            }
            Self::Typed => format!("SELECT typed.track_rows({target});"),
            Self::TypedStmt => format!("SELECT typed.track_statements({target});"),
        }
    }

    /// Returns a transaction of these statements under a context of its own, as it is
    /// sent.
    pub(super) fn transaction(self, statements: &str) -> String {
        format!("BEGIN;{}{statements}COMMIT", self.set(&Context::next()))
    }

    /// The same without a context.
    pub(super) fn bare_transaction(statements: &str) -> String {
        format!("BEGIN;{statements}COMMIT")
    }

    /// Returns the statement that sets its context.
    fn set(self, context: &Context) -> String {
        match self {
            Self::Unaudited => String::new(),
            Self::Limit => context.as_parameters(),
            Self::Ours => format!(
                "SELECT pg_catalog.set_config('threadline.context', \
                 pg_catalog.concat(EXTRACT(epoch FROM pg_catalog.now()), ' ') || '{}', true);",
                context.as_json()
            ),
            Self::Textbook => format!(
                "SELECT set_config('textbook.actor', '{}', true);",
                context.as_json()
            ),
            Self::Typed | Self::TypedStmt => format!(
                "SELECT set_config('typed.context', '{}', true), set_config('typed.metadata', '{}', true);",
                context.as_uuid(),
                context.as_json()
            ),
        }
    }
}
