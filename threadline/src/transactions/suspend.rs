use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Nullable, Text};

use crate::action::{ACTION_COLUMNS, ActionError, ActionSql, AuditAction};
use crate::connection::AuditConnection;
use crate::context::AuditContext;
use crate::error::{Error, ErrorKind};
use crate::run;

/// Suspends capture for the rest of the running transaction, and records this as the action
/// `audit.suspended` with the reason.
///
/// Use it for bulk changes that would flood the audit, such as the reload of a price table.
/// Suspension ends with the transaction. If a savepoint rolls back, suspension and action
/// are rolled back together. Records changed meanwhile have a gap in their history. Only an
/// authorized role may suspend capture: see
/// [`Protection::suspender`](crate::Protection::suspender), or run `GRANT EXECUTE ON
/// FUNCTION threadline.suspend, threadline.resume`.
///
/// The actor is that of the current context, else that of the transaction, else anonymous.
/// The metadata of the action has the role that was logged in. Capture can be suspended for
/// a whole session only in SQL, see [an owner and readers](crate::docs::owner_and_readers):
/// behind a pool, this would leave the writes of other clients unrecorded.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{ActorRef, AuditContext, AuditExt, Audited, suspend};
///
/// let context = AuditContext::new(ActorRef::admin("grace")?);
/// let action = conn.audited_transaction(&context, |conn| {
///     let action = suspend(conn, "reload from the old system, ticket 4711")?;
///     diesel::update(users::table).set(users::name.eq("")).execute(conn)?;
///     Ok::<_, threadline::Error>(action)
/// })?;
/// assert_eq!(action.name, "audit.suspended");
/// assert_eq!(User::history_of(conn, 42)?.len(), 1, "nothing after the insertion");
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the role lacks the privilege, if the reason is empty, or if no
/// transaction is open, because suspension would end at once.
pub fn suspend<'c, C: AuditConnection>(
    conn: &'c mut C,
    reason: impl Into<String>,
) -> C::Answer<'c, Result<AuditAction, Error>> {
    let reason = reason.into();
    C::answer(async move {
        if conn.status().transaction_depth()?.is_none() {
            return Err(Error::new(ErrorKind::Action(ActionError::NoTransaction)));
        }
        let actor = AuditContext::current().and_then(|context| context.actor().cloned());
        let suspend = Suspend {
            reason,
            actor_type: actor
                .as_ref()
                .map(|actor| actor.actor_type().as_str().to_owned()),
            actor_id: actor.and_then(|actor| actor.id().map(str::to_owned)),
        };
        run::read_one(conn, suspend).await
    })
}

#[derive(Debug)]
struct Suspend {
    reason: String,
    actor_type: Option<String>,
    actor_id: Option<String>,
}

impl Query for Suspend {
    type SqlType = ActionSql;
}

impl QueryId for Suspend {
    type QueryId = Suspend;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Suspend {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(ACTION_COLUMNS);
        out.push_sql(" FROM threadline.suspend(");
        out.push_bind_param::<Text, _>(&self.reason)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.actor_type)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.actor_id)?;
        out.push_sql(") AS a");
        Ok(())
    }
}
