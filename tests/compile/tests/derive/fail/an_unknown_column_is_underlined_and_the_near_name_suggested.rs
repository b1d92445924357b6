use threadline::Audited;

mod schema {
    diesel::table! {
        users (id) {
            id -> Int4,
            email -> Text,
            password_hash -> Text,
        }
    }
}

#[derive(Audited)]
#[diesel(table_name = schema::users)]
#[audited(mask(emial), exclude(pasword_hash))]
struct User;

fn main() {}
