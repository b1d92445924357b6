use diesel::PgConnection;
use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
struct User {
    id: i32,
}

fn read(conn: &mut PgConnection, user: &User) {
    let _ = user.history(conn);
}

fn main() {}
