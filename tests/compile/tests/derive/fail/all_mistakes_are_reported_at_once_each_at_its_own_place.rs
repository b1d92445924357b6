use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
        phone -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users, primary_key(id))]
#[audited(mask(id, email, phone), hide(phone), exclude(phoen))]
#[audited(exclude(email), mask())]
struct User {
    #[audited(mask)]
    phone: String,
}

fn main() {
    threadline::models![User];
}
