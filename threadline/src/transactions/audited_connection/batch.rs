use diesel::result::{Error, QueryResult};

use super::AuditedConnection;
use super::manager::Place;
use crate::connection::AuditConnection;
use crate::context::AuditContext;
use crate::transactions::Open;
use crate::transactions::open::set_context;

impl<C: AuditConnection> AuditedConnection<C> {
    /// Runs a batch, with the context in the same message if it is to have one.
    pub(super) async fn batch_in_context(&mut self, query: &str) -> QueryResult<()> {
        let place = Place::of(&mut self.inner);
        if place != Place::Outside {
            return self.batch_at(place, query).await;
        }
        let before = self.begun_by_hand;
        // Also if the batch fails half-way, or is not awaited to its end.
        self.begun_by_hand = before || begins(query);
        let done = self.batch_at(place, query).await;
        if done.is_ok() {
            self.begun_by_hand = leaves_open(query, before);
        }
        done
    }

    async fn batch_at(&mut self, place: Place, query: &str) -> QueryResult<()> {
        let context = match place {
            Place::Inside => None,
            Place::Outside | Place::Test | Place::Broken => AuditContext::current_setting(),
        };
        let Some(setting) = context else {
            return self.inner.batch(query).await;
        };
        match (Batch::of(query), place) {
            (Batch::Begins(..) | Batch::Works, Place::Broken) if self.autocommit => {
                Err(Error::BrokenTransactionManager)
            }
            (batch @ Batch::Begins(..), Place::Outside) => {
                self.inner.batch(&batch.under(query, &setting)).await
            }
            (batch @ Batch::Works, Place::Outside) if self.autocommit => {
                self.inner.batch(&batch.under(query, &setting)).await
            }
            (Batch::Works, Place::Test) if self.autocommit => {
                let mut open = Open::begin(&mut self.inner, Some(&setting)).await?;
                let done = open.conn().batch(query).await;
                open.end(done).await
            }
            _ => self.inner.batch(query).await,
        }
    }
}

/// How a batch of statements begins, as far as its context is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Batch<'a> {
    /// The statement that begins a transaction, and the rest of the batch.
    Begins(&'a str, &'a str),
    /// A statement for a transaction that was begun by hand. No other statement may precede
    /// it, because that would fail in a failed transaction.
    Controls,
    /// Anything else.
    Works,
}

impl<'a> Batch<'a> {
    pub(super) fn of(sql: &'a str) -> Self {
        let body = &sql[before_statement(sql)..];
        let end = body
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(body.len());
        match body[..end].to_ascii_uppercase().as_str() {
            "BEGIN" | "START" => {
                let (begin, rest) = sql.split_at(sql.len() - body.len() + statement(body));
                Self::Begins(begin, rest)
            }
            "ABORT" | "COMMIT" | "END" | "PREPARE" | "RELEASE" | "ROLLBACK" | "SAVEPOINT" => {
                Self::Controls
            }
            _ => Self::Works,
        }
    }

    /// Returns the batch under a context, in one message.
    pub(super) fn under(&self, sql: &str, setting: &str) -> String {
        let context = set_context(setting);
        match self {
            // On a line of its own: a comment may end the first one.
            Self::Begins(begin, rest) => format!("{begin}\n; {context}{rest}"),
            Self::Controls => sql.to_owned(),
            Self::Works => format!("{context}; {sql}"),
        }
    }
}

/// Returns the first words of each statement, in capitals. Text in literals counts as well, so that
/// this can find too many.
fn statements(sql: &str) -> impl Iterator<Item = Vec<String>> + '_ {
    sql.split(';').map(|statement| {
        statement[before_statement(statement)..]
            .split_whitespace()
            .take(4)
            .map(str::to_ascii_uppercase)
            .collect()
    })
}

fn first(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

/// Returns whether a batch may begin a transaction.
fn begins(sql: &str) -> bool {
    statements(sql).any(|words| matches!(first(&words), "BEGIN" | "START"))
}

/// Returns whether a transaction is open after a batch.
fn leaves_open(sql: &str, before: bool) -> bool {
    statements(sql).fold(before, |open, words| {
        let has = |word| words.iter().any(|other| other == word);
        match first(&words) {
            "BEGIN" | "START" => true,
            "PREPARE" => open && !has("TRANSACTION"),
            "ABORT" | "COMMIT" | "END" | "ROLLBACK" => {
                open && (has("TO") || has("PREPARED") || has("CHAIN") && !has("NO"))
            }
            _ => open,
        }
    })
}

/// Returns the length of what precedes the first statement: spaces, comments, and empty statements.
fn before_statement(sql: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &sql[at..];
        let spaces = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_whitespace() || c == ';')
                .len();
        match spaces + comment(&rest[spaces..]) {
            0 => return at,
            skipped => at += skipped,
        }
    }
}

/// Returns the length of a statement without literals, up to its semicolon. One in a comment does
/// not end it.
fn statement(sql: &str) -> usize {
    let mut at = 0;
    while let Some(next) = sql[at..].chars().next() {
        match comment(&sql[at..]) {
            0 if next == ';' => break,
            0 => at += next.len_utf8(),
            skipped => at += skipped,
        }
    }
    at
}

/// Returns the length of the comment at the beginning of a text; 0 if there is none. As in SQL,
/// `/*` nests.
fn comment(sql: &str) -> usize {
    if sql.starts_with("--") {
        return sql.find('\n').unwrap_or(sql.len());
    }
    let (mut at, mut depth) = (0, 0);
    while let Some(next) = sql[at..].chars().next() {
        if sql[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if depth > 0 && sql[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else if depth > 0 {
            at += next.len_utf8();
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_known_by_its_first_statement() {
        assert_eq!(Batch::of("begin"), Batch::Begins("begin", ""));
        assert_eq!(
            Batch::of("-- a; b\n/* c; */ START TRANSACTION READ ONLY; SELECT 1; COMMIT"),
            Batch::Begins(
                "-- a; b\n/* c; */ START TRANSACTION READ ONLY",
                "; SELECT 1; COMMIT"
            )
        );
        assert_eq!(Batch::of(" ROLLBACK"), Batch::Controls);
        assert_eq!(Batch::of("SELECT 1; BEGIN"), Batch::Works);
        assert_eq!(Batch::of("beginning"), Batch::Works);
        assert_eq!(
            Batch::of("; /* a /* b */ begin */ BEGIN; SELECT 1"),
            Batch::Begins("; /* a /* b */ begin */ BEGIN", "; SELECT 1")
        );
        assert_eq!(Batch::of("/* BEGIN */"), Batch::Works);
        assert_eq!(Batch::of("/* not closed; BEGIN"), Batch::Works);
        assert_eq!(Batch::of("-- nothing"), Batch::Works);
        assert_eq!(Batch::of(""), Batch::Works);
    }

    #[test]
    fn a_transaction_that_a_batch_leaves_open_is_noticed() {
        for (sql, before, after) in [
            ("BEGIN", false, true),
            ("/* a */ start transaction read only; SELECT 1", false, true),
            ("SELECT 1; BEGIN", false, true),
            ("BEGIN; SELECT 1; COMMIT", false, false),
            ("BEGIN; SELECT 1; -- done\n END;", false, false),
            ("COMMIT; BEGIN", true, true),
            ("ROLLBACK", true, false),
            ("ROLLBACK TO SAVEPOINT a", true, true),
            ("ROLLBACK WORK TO a", true, true),
            ("COMMIT AND CHAIN", true, true),
            ("COMMIT AND NO CHAIN", true, false),
            ("COMMIT PREPARED 'a'", false, false),
            ("PREPARE TRANSACTION 'a'", true, false),
            ("PREPARE a AS SELECT 1", true, true),
            ("SELECT 1", false, false),
            ("", true, true),
        ] {
            assert_eq!(leaves_open(sql, before), after, "{sql}");
        }
    }

    /// Its rest would be run as SQL.
    #[test]
    fn a_semicolon_in_a_comment_does_not_end_the_statement() {
        assert_eq!(
            Batch::of("BEGIN -- first; DELETE FROM members\n; SELECT 1"),
            Batch::Begins("BEGIN -- first; DELETE FROM members\n", "; SELECT 1")
        );
        assert_eq!(
            Batch::of("BEGIN /* ü; /* x; */ y; */ READ ONLY; SELECT 1"),
            Batch::Begins("BEGIN /* ü; /* x; */ y; */ READ ONLY", "; SELECT 1")
        );
        assert_eq!(
            Batch::of("BEGIN -- the end;"),
            Batch::Begins("BEGIN -- the end;", "")
        );
        let under = Batch::of("BEGIN -- the end;").under("BEGIN -- the end;", "x");
        assert!(under.starts_with("BEGIN -- the end;\n; SELECT "), "{under}");
    }
}
