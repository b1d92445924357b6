use diesel::PgConnection;
use threadline::Audited;
use threadline_compile_tests::{orders, users};

#[derive(Audited)]
#[diesel(table_name = users)]
struct User;

#[derive(Audited)]
#[diesel(table_name = orders, primary_key(tenant, number))]
struct Order;

fn read(conn: &mut PgConnection) {
    let _ = User::history_of(conn, "x");
    let _ = Order::history_of(conn, 7);
    let _ = Order::history_of(conn, (7, "acme"));
}

fn main() {}
