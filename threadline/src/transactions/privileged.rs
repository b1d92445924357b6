use crate::action::ActionSql;
use crate::context::AuditContext;
use crate::statement::{Bind, Typed};

/// Returns the call of a function that takes a reason, and records it as an action by the
/// actor of the current context.
pub(super) fn call_with_reason(sql: &'static str, reason: String) -> Typed<ActionSql> {
    let context = AuditContext::current();
    let actor = context.as_ref().and_then(AuditContext::actor);
    let actor_type = actor.map(|actor| actor.actor_type().as_str().to_owned());
    let actor_id = actor.and_then(|actor| actor.id().map(str::to_owned));
    Typed::new(
        sql,
        [
            Bind::Text(reason),
            Bind::OptionalText(actor_type),
            Bind::OptionalText(actor_id),
        ],
    )
}
