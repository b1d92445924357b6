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
#[diesel(table_name = users, primary_key(uid))]
struct User;

#[derive(Audited)]
#[diesel(table_name = orders, primary_key(tenant, nummer))]
struct Order;

fn main() {}
