use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Nullable, Text};

use super::Open;
use crate::action::{ACTION_COLUMNS, ActionError, ActionSql, AuditAction};
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::context::AuditContext;
use crate::error::{Error, ErrorKind};
use crate::posting::post_before_reading;
use crate::run;

/// Reads changes including values recorded before their column was masked or excluded, and
/// records this access as the action `audit.unmasked` with the reason.
///
/// By default, readers do not see values that a policy hides now, whenever they were
/// recorded. Inside `read`, these values are visible in histories, timelines, transactions,
/// blame, exports, [`versions`](crate::Audited::versions) and
/// [`as_of`](crate::Audited::as_of). Values that were redacted when they were recorded are
/// stored nowhere.
///
/// For a record at an instant, columns that are excluded now have no value: later changes
/// were not recorded, so the last recorded value could be outdated. In a model, masked
/// columns that are not text stay redacted, because a placeholder could be mistaken for a
/// value. The image has their values.
///
/// The action is committed before anything is read. The actor is that of the current
/// context, else anonymous. The metadata of the action has the role that was logged in. A
/// reader of a [protected](crate::Protection) audit may call it, any other role after
/// `GRANT EXECUTE ON FUNCTION threadline.unmask`.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Audited, unmasked};
///
/// let changes = unmasked(conn, "which address did we write to, ticket 4711", |conn| {
///     User::history_of(conn, 42)
/// })?;
/// # assert_eq!(changes.len(), 1);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the role lacks the privilege, the reason is empty, a transaction is
/// open, or reading fails.
pub fn unmasked<C, T>(
    conn: &mut C,
    reason: impl Into<String>,
    read: impl FnOnce(&mut C) -> Result<T, Error>,
) -> Result<T, Error>
where
    C: BlockingConnection,
{
    let mut open = ready(begin_unmasked(conn, reason.into()))?;
    let answer = read(open.conn());
    ready(open.end(answer))
}

/// Records the access, and begins the transaction in which the values are visible.
pub(crate) async fn begin_unmasked<C: AuditConnection>(
    conn: &mut C,
    reason: String,
) -> Result<Open<'_, C>, Error> {
    if conn.status().transaction_depth()?.is_some() {
        return Err(Error::new(ErrorKind::Action(ActionError::InTransaction)));
    }
    post_before_reading(conn).await;
    let actor = AuditContext::current().and_then(|context| context.actor().cloned());
    let unmask = Unmask {
        reason,
        actor_type: actor
            .as_ref()
            .map(|actor| actor.actor_type().as_str().to_owned()),
        actor_id: actor.and_then(|actor| actor.id().map(str::to_owned)),
    };
    let action: AuditAction = run::read_one(conn, unmask).await?;
    let mut open = Open::begin(conn, None).await?;
    let setting = diesel::sql_query("SELECT set_config('threadline.unmasked', $1, true)")
        .bind::<Text, _>(action.id.to_string());
    let set = open.conn().count_of(setting).await;
    match set {
        Ok(_) => Ok(open),
        Err(error) => open.end(Err(error.into())).await,
    }
}

#[derive(Debug)]
struct Unmask {
    reason: String,
    actor_type: Option<String>,
    actor_id: Option<String>,
}

impl Query for Unmask {
    type SqlType = ActionSql;
}

impl QueryId for Unmask {
    type QueryId = Unmask;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Unmask {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(ACTION_COLUMNS);
        out.push_sql(" FROM threadline.unmask(");
        out.push_bind_param::<Text, _>(&self.reason)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.actor_type)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.actor_id)?;
        out.push_sql(") AS a");
        Ok(())
    }
}
