use threadline::{ActorRef, AuditContext};

fn main() {
    let context = AuditContext::new(ActorRef::anonymous());
    let _future = context.scope(|| async { AuditContext::current() });
}
