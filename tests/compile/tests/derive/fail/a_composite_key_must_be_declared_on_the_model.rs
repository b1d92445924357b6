use threadline::Audited;

diesel::table! {
    orders (tenant, number) {
        tenant -> Text,
        number -> Int4,
        comment -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = orders)]
#[audited(mask(comment))]
struct Order;

fn main() {}
