use super::text::{first_word, statements, words};

/// Whether a batch or a query of the application began a transaction, of which Diesel knows
/// nothing, and none has ended it since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ByHand {
    #[default]
    Closed,
    Open,
    /// A batch that begins or ends a transaction failed, or was not awaited to its end.
    Unknown,
}

impl ByHand {
    /// Returns the state while a batch runs, and if it fails.
    pub(super) fn during(self, sql: &str) -> Self {
        let is_changed = statements(sql).any(|statement| {
            Self::Open.after_statement(statement) != Self::Open
                || Self::Closed.after_statement(statement) != Self::Closed
        });
        if is_changed { Self::Unknown } else { self }
    }

    /// Returns the state after a batch.
    pub(super) fn after(self, sql: &str) -> Self {
        statements(sql).fold(self, Self::after_statement)
    }

    fn after_statement(self, statement: &str) -> Self {
        let has = |word: &str| words(statement).any(|other| other.eq_ignore_ascii_case(word));
        match first_word(statement).to_ascii_uppercase().as_str() {
            "BEGIN" | "START" => Self::Open,
            "PREPARE" if has("TRANSACTION") => Self::Closed,
            "ABORT" | "COMMIT" | "END" | "ROLLBACK" => {
                if has("TO") || has("PREPARED") || has("CHAIN") && !has("NO") {
                    self
                } else {
                    Self::Closed
                }
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByHand::{self, Closed, Open, Unknown};

    #[test]
    fn a_transaction_that_a_batch_leaves_open_is_noticed() {
        for (sql, before, after) in [
            ("BEGIN", Closed, Open),
            (
                "/* a */ start transaction read only; SELECT 1",
                Closed,
                Open,
            ),
            ("SELECT 1; BEGIN", Closed, Open),
            ("BEGIN; SELECT 1; COMMIT", Closed, Closed),
            ("BEGIN; SELECT 1; -- done\n END;", Closed, Closed),
            ("COMMIT; BEGIN", Open, Open),
            ("ROLLBACK", Open, Closed),
            ("ROLLBACK", Unknown, Closed),
            ("ROLLBACK TO SAVEPOINT a", Open, Open),
            ("ROLLBACK WORK TO a", Open, Open),
            ("COMMIT AND CHAIN", Open, Open),
            ("COMMIT /* or not */ AND NO CHAIN", Open, Closed),
            ("COMMIT PREPARED 'a'", Closed, Closed),
            ("PREPARE TRANSACTION 'a'", Open, Closed),
            ("PREPARE a AS SELECT 1", Open, Open),
            ("SELECT 1", Closed, Closed),
            ("SELECT 1", Unknown, Unknown),
            ("", Open, Open),
            ("SELECT 'a; BEGIN'", Closed, Closed),
            (r"SELECT 'a\'; BEGIN; SELECT ' '", Closed, Open),
            (r"SELECT E'a\'; BEGIN; SELECT '", Closed, Closed),
            ("SELECT 'it''s; BEGIN'; COMMIT", Open, Closed),
            ("SELECT 1 AS \"a; BEGIN\"", Closed, Closed),
            ("DO $$ BEGIN; END; BEGIN $$", Closed, Closed),
            ("DO $ü_1$ ; $$ ; BEGIN; $ü_1$; BEGIN", Closed, Open),
            (
                "SELECT a$b$ FROM c; BEGIN; SELECT a$b$ FROM c",
                Closed,
                Open,
            ),
            ("SELECT $1; BEGIN; SELECT $1", Closed, Open),
            ("SELECT 'never closed; BEGIN", Closed, Closed),
            ("SELECT E'never closed\\", Closed, Closed),
            ("SELECT $a$ never closed; BEGIN", Closed, Closed),
        ] {
            assert_eq!(before.after(sql), after, "{sql}");
        }
    }

    #[test]
    fn a_batch_that_fails_leaves_it_unknown_if_it_begins_or_ends_a_transaction() {
        for (sql, is_unknown) in [
            ("BEGIN; SELECT 1 / 0", true),
            ("SELECT 1 / 0; COMMIT", true),
            ("SELECT 1 / 0", false),
            ("ROLLBACK TO a", false),
        ] {
            for before in [Closed, Open, Unknown] {
                let expected: ByHand = if is_unknown { Unknown } else { before };
                assert_eq!(before.during(sql), expected, "{sql}");
            }
        }
    }
}
