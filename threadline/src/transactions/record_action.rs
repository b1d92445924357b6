use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Bool, Jsonb, Nullable, Text};
use serde_json::Value;

use crate::action::{ACTION_COLUMNS, Action, ActionSql, AuditAction};
use crate::connection::AuditConnection;
use crate::context::{ActorRef, AuditContext};
use crate::error::Error;
use crate::run;
use crate::telemetry;

/// Records an action: what the application meant to do.
///
/// Inside a transaction, the action belongs to the same `AuditTransaction` as the changes
/// of that transaction, whichever came first. A transaction can have several actions. If
/// the transaction rolls back, its actions are lost with it. Outside a transaction, the
/// action is recorded alone, for example for a refused login. [`actions`](crate::actions)
/// reads both.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Action, ActorRef, AuditContext, AuditExt, record_action};
///
/// let context = AuditContext::new(ActorRef::admin("grace")?);
/// let action = conn.audited_transaction(&context, |conn| {
///     diesel::update(users::table.find(42)).set(users::name.eq("Ada L.")).execute(conn)?;
///     record_action(conn, Action::new("member.renamed").reason("she married"))
/// })?;
/// assert_eq!(action.verb.as_deref(), Some("renamed"));
///
/// let refused = Action::new("session.opened").actor(ActorRef::anonymous()).failed();
/// assert_eq!(record_action(conn, refused)?.transaction_id, None);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns [`ErrorKind::Action`](crate::ErrorKind::Action) if there is no actor, or if a
/// name or text cannot be recorded, and
/// [`ErrorKind::SchemaMissing`](crate::ErrorKind::SchemaMissing) without the audit schema.
pub fn record_action<'c, C: AuditConnection>(
    conn: &'c mut C,
    action: impl Into<Action>,
) -> C::Answer<'c, Result<AuditAction, Error>> {
    let action = action.into();
    C::answer(async move { record_in(conn, action, AuditContext::current().as_ref()).await })
}

/// Records an action under a context.
pub(crate) async fn record_in<C: AuditConnection>(
    conn: &mut C,
    action: Action,
    context: Option<&AuditContext>,
) -> Result<AuditAction, Error> {
    let (action, actor) = action.complete(context)?;
    let linked = conn.status().transaction_depth()?.is_some();
    let insert = RecordAction {
        actor_id: actor.id().map(str::to_owned),
        actor,
        remote_ip: action.remote_ip.map(|address| address.to_string()),
        metadata: (!action.metadata.is_empty()).then(|| Value::Object(action.metadata.clone())),
        action,
        linked,
    };
    run::read_one(conn, insert)
        .await
        .inspect(telemetry::action_recorded)
}

#[derive(Debug)]
struct RecordAction {
    action: Action,
    actor: ActorRef,
    actor_id: Option<String>,
    remote_ip: Option<String>,
    metadata: Option<Value>,
    linked: bool,
}

impl Query for RecordAction {
    type SqlType = ActionSql;
}

impl QueryId for RecordAction {
    type QueryId = RecordAction;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for RecordAction {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let action = &self.action;
        out.push_sql("SELECT ");
        out.push_sql(ACTION_COLUMNS);
        out.push_sql(" FROM threadline.record_action(");
        out.push_bind_param::<Text, _>(&action.name)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, str>(self.actor.actor_type().as_str())?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.actor_id)?;
        for text in [&action.category, &action.verb] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(text)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Text, str>(action.status.as_str())?;
        for text in [
            &action.reason,
            &action.comment,
            &action.request_id,
            &action.correlation_id,
            &action.job_id,
        ] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(text)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Jsonb>, _>(&self.metadata)?;
        out.push_sql(", ");
        out.push_bind_param::<Bool, _>(&self.linked)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&action.source)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&self.remote_ip)?;
        out.push_sql("::inet) AS a");
        Ok(())
    }
}
