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
#[audited(mask(email, mail, phone), mask(phone))]
struct User {
    #[diesel(column_name = email)]
    mail: String,
}

fn main() {}
