use threadline::Audited;
use threadline_compile_tests::{orders, users};

#[derive(Audited)]
#[diesel(table_name = users, primary_key(uid))]
struct User;

#[derive(Audited)]
#[diesel(table_name = orders, primary_key(tenant, nummer))]
struct Order;

fn main() {}
