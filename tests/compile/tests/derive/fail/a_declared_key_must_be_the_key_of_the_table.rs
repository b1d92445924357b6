use threadline::Audited;
use threadline_compile_tests::{orders, users};

#[derive(Audited)]
#[diesel(table_name = users, primary_key(email))]
struct User;

#[derive(Audited)]
#[diesel(table_name = orders, primary_key(number, tenant))]
struct Swapped;

#[derive(Audited)]
#[diesel(table_name = orders, primary_key(tenant))]
struct Half;

fn main() {}
