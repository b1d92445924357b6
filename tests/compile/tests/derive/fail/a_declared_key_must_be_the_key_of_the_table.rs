use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
    }
}

diesel::table! {
    orders (tenant, number) {
        tenant -> Text,
        number -> Int4,
    }
}

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
