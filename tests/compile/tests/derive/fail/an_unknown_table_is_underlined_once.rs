use threadline::Audited;

mod schema {
    diesel::table! {
        users (id) {
            id -> Int4,
            email -> Text,
        }
    }
}

#[derive(Audited)]
#[diesel(table_name = schema::user)]
#[audited(mask(email))]
struct User;

fn main() {}
