use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email), exclude(email))]
struct User;

fn main() {}
