use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
        phone -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(only(email, fone), exclude(email), operations(update, upsert), when = 5, when = "true", when = "true")]
struct User;

fn main() {}
