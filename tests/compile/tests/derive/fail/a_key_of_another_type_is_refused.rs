use diesel::PgConnection;
use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
    }
}

diesel::table! {
    orders (tenant, number) {
        tenant -> Text,
        number -> Int4,
    }
}

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
