use threadline::{ActorRef, AuditContext};

async fn handle() {}

fn main() {
    let context = AuditContext::new(ActorRef::anonymous());
    let _future = context.scope(handle);
}
