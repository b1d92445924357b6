use threadline::AuditContext;

async fn handle() {}

fn main() {
    let _closure = AuditContext::carry(|| handle());
}
