use diesel::PgConnection;
use diesel::prelude::*;
use threadline_compile_tests::users;

#[derive(Identifiable)]
#[diesel(table_name = users)]
struct User {
    id: i32,
}

fn read(conn: &mut PgConnection, user: &User) {
    let _ = threadline::history(conn, user);
}

fn main() {}
