use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Bool;

use super::changes;
use crate::queries::{History, RECORD_CHANGES};
use crate::statement;

/// The condition that a row of [`changes`] belongs to the history of a record.
/// [`History::condition`] returns it.
#[derive(Debug)]
pub struct InHistory<M, V>(History<M, V>);

impl<M, V> History<M, V> {
    /// Returns the history as a condition on [`schema::changes`](crate::schema::changes),
    /// to combine with other conditions, an order and a limit of Diesel.
    ///
    /// It matches all changes of the record, including those under earlier keys, and no
    /// changes of other records that had the key at another time.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// # diesel::update(users::table).set(users::name.eq("Ida")).execute(conn)?;
    /// use threadline::schema::changes;
    /// use threadline::{History, Operation};
    ///
    /// let at_night: Vec<i64> = changes::table
    ///     .filter(History::<User, _>::of_key(42).condition())
    ///     .filter(changes::op.eq(Operation::Update))
    ///     .filter(changes::actor_id.is_null())
    ///     .order(changes::id.desc())
    ///     .limit(10)
    ///     .select(changes::id)
    ///     .load(conn)?;
    /// # assert_eq!(at_night.len(), 1);
    /// # Ok::<(), diesel::result::Error>(())
    /// ```
    pub fn condition(self) -> InHistory<M, V> {
        InHistory(self)
    }
}

impl<M, V> Expression for InHistory<M, V> {
    type SqlType = Bool;
}

impl<M, V, QS> AppearsOnTable<QS> for InHistory<M, V> where changes::id: AppearsOnTable<QS> {}

impl<M, V, QS> SelectableExpression<QS> for InHistory<M, V> where
    changes::id: SelectableExpression<QS>
{
}

impl<M, V, GB> ValidGrouping<GB> for InHistory<M, V> {
    type IsAggregate = is_aggregate::No;
}

impl<M, V> QueryId for InHistory<M, V> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<M, V: QueryFragment<Pg>> QueryFragment<Pg> for InHistory<M, V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Both columns, to match the index of the ledger.
        out.push_sql("((");
        changes::transaction_id.walk_ast(out.reborrow())?;
        out.push_sql(", ");
        changes::id.walk_ast(out.reborrow())?;
        out.push_sql(") IN (");
        statement::walk(&mut out, RECORD_CHANGES, |name, out| self.0.fill(name, out))?;
        out.push_sql(
            "SELECT record_changes.transaction_id, record_changes.id FROM record_changes ORDER BY record_changes.id DESC LIMIT ",
        );
        self.0.fill("change limit", &mut out)?;
        out.push_sql("))");
        Ok(())
    }
}
