use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
    }
}

diesel::table! {
    admins (id) {
        id -> Int4,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[diesel(table_name = admins)]
struct User;

fn main() {}
