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
#[audited(columns(email, fone), exclude(email), operations(update, upsert), condition = 5, condition = "true", condition = "true")]
struct User;

fn main() {}
