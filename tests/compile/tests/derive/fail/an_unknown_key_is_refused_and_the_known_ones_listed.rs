use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(hide(email), require_actor)]
struct User;

fn main() {}
