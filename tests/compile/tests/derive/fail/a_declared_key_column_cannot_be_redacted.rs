use threadline::Audited;

diesel::table! {
    countries (code) {
        code -> Text,
        name -> Text,
    }
}

diesel::table! {
    orders (tenant, number) {
        tenant -> Text,
        number -> Int4,
    }
}

#[derive(Audited)]
#[diesel(table_name = countries, primary_key(code))]
#[audited(mask(code))]
struct Country;

#[derive(Audited)]
#[diesel(table_name = orders, primary_key(tenant, number))]
#[audited(exclude(number))]
struct Order;

fn main() {}
