use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::query_builder::{QueryBuilder, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};

use super::AuditedConnection;
use super::manager::Place;
use super::text::{before_statement, first_word, statement};
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
        let before = self.by_hand;
        self.by_hand = before.during(query);
        let done = self.batch_at(place, query).await;
        if done.is_ok() {
            self.by_hand = before.after(query);
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
            (batch @ Batch::Works, Place::Outside) if self.has_own_transaction(place) => {
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
        match first_word(body).to_ascii_uppercase().as_str() {
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

/// Returns the text of a query that begins, ends or divides a transaction, as in
/// `sql_query("BEGIN")`. Only a query whose text is not fixed by its type can do so. Inside a
/// transaction of Diesel, none is treated apart, and its text need not be made twice.
pub(super) fn transaction_control<T>(query: &T, place: Place) -> QueryResult<Option<String>>
where
    T: QueryFragment<Pg> + QueryId,
{
    if place == Place::Inside || T::HAS_STATIC_QUERY_ID {
        return Ok(None);
    }
    let mut sql = <Pg as Backend>::QueryBuilder::default();
    query.to_sql(&mut sql, &Pg)?;
    let sql = sql.finish();
    Ok((Batch::of(&sql) != Batch::Works).then_some(sql))
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
