mod page;
mod with;

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel::{RunQueryDsl, associations::Identifiable};

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::model::{AuditedModel, KeyExpression, KeyOf};
use crate::posting::post_before_reading;
use crate::queries::known_table;
use crate::record::{AuditChange, ChangeSql};
use crate::run;
use crate::statement::{self, CHANGE_TABLES, query_of_columns};

pub use with::{HistoryWith, Referring};

/// A common table expression `record_changes`: the changes of one record.
pub(crate) const RECORD_CHANGES: &str = include_str!("record_changes.sql");

/// The query for the changes of one record, newest first.
///
/// It is a Diesel query, so you can also run it on another connection type.
/// [`Audited::history`](crate::Audited::history) runs it.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{AuditChange, History};
///
/// let changes: Vec<AuditChange> = RunQueryDsl::load(History::<User, _>::of_key(42), conn)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct History<M, V> {
    pub(crate) table: String,
    pub(super) key: KeyExpression<V>,
    pub(crate) limit: Option<i64>,
    pub(crate) before: Option<i64>,
    model: PhantomData<fn() -> M>,
}

impl<M: AuditedModel, V> History<M, V> {
    /// Builds the query for the record with this key.
    pub fn of_key<K: KeyOf<M::Key, Values = V>>(key: K) -> Self {
        Self {
            table: M::spec().table,
            key: key.into_key(),
            limit: None,
            before: None,
            model: PhantomData,
        }
    }
}

impl<M, V> History<M, V> {
    /// Sets the maximum number of changes, the newest ones. By default,
    /// [`load`](Self::load) returns all and a [`page`](Self::page) has 50.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(i64::try_from(limit).unwrap_or(i64::MAX));
        self
    }

    /// Runs the query.
    ///
    /// # Errors
    ///
    /// Same as [`Audited::history`](crate::Audited::history).
    pub fn load<'c, C>(self, conn: &'c mut C) -> C::Answer<'c, Result<Vec<AuditChange>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c,
    {
        C::answer(self.without_model().changes(conn))
    }

    /// Returns the same query with a future that does not depend on the model.
    pub(crate) fn without_model(self) -> History<(), V> {
        let Self {
            table,
            key,
            limit,
            before,
            model: _,
        } = self;
        History {
            table,
            key,
            limit,
            before,
            model: PhantomData,
        }
    }
}

impl<V: QueryFragment<Pg> + Send> History<(), V> {
    pub(crate) async fn changes<C>(self, conn: &mut C) -> Result<Vec<AuditChange>, Error>
    where
        C: AuditConnection,
    {
        post_before_reading(conn).await;
        let table = self.table.clone();
        let changes: Vec<AuditChange> = run::read(conn, self).await?;
        if changes.is_empty() {
            known_table(conn, &table).await?;
        }
        Ok(changes)
    }
}

/// A key given as texts, for callers without a model.
#[derive(Debug)]
pub struct TextKey(Vec<String>);

impl History<(), TextKey> {
    /// Builds the query for a record by the name of its table, written as in SQL, and its
    /// key.
    #[doc(hidden)]
    pub fn by_name(table: String, key: Vec<String>) -> Self {
        Self {
            table,
            key: key.into(),
            limit: None,
            before: None,
            model: PhantomData,
        }
    }
}

impl From<Vec<String>> for KeyExpression<TextKey> {
    fn from(key: Vec<String>) -> Self {
        Self {
            values: TextKey(key),
        }
    }
}

impl QueryFragment<Pg> for TextKey {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (position, text) in self.0.iter().enumerate() {
            if position > 0 {
                out.push_sql(", ");
            }
            out.push_bind_param::<diesel::sql_types::Text, _>(text)?;
        }
        Ok(())
    }
}

/// Returns the changes of a record, newest first. Same as
/// [`Audited::history`](crate::Audited::history).
///
/// # Errors
///
/// Returns an error if the audit schema is missing or too old, or if the query fails.
pub fn history<'c, M, C>(
    conn: &'c mut C,
    record: &'c M,
) -> C::Answer<'c, Result<Vec<AuditChange>, Error>>
where
    M: AuditedModel,
    C: AuditConnection,
    &'c M: Identifiable,
    <&'c M as Identifiable>::Id: KeyOf<M::Key, Values: 'c>,
{
    History::<M, _>::of_key(record.id()).load(conn)
}

query_of_columns!(History<M, V>: ChangeSql);

impl<M, V, C> RunQueryDsl<C> for History<M, V> {}

impl<M, V: QueryFragment<Pg>> QueryFragment<Pg> for History<M, V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let sql = concat!(
            include_str!("record_changes.sql"),
            include_str!("history.sql")
        );
        statement::walk(&mut out, sql, |name, out| self.fill(name, out))
    }
}

impl<M, V: QueryFragment<Pg>> History<M, V> {
    /// Fills a placeholder of the query.
    pub(crate) fn fill<'b>(&'b self, name: &str, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match name {
            "change columns" => out.push_sql(&statement::change_columns()),
            "change tables" => out.push_sql(CHANGE_TABLES),
            "change limit" => match self.limit {
                Some(limit) => out.push_sql(&limit.to_string()),
                None => out.push_sql("ALL"),
            },
            "change conditions" => match &self.before {
                Some(before) => {
                    out.push_sql("c.id < ");
                    return out.push_bind_param::<BigInt, _>(before);
                }
                None => out.push_sql("true"),
            },
            _ => return statement::fill_record(name, &self.table, &self.key, out),
        }
        Ok(())
    }
}
