use diesel::PgConnection;
use diesel::prelude::*;
use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Identifiable, Audited)]
#[diesel(table_name = users)]
struct User {
    id: i32,
}

fn read(conn: &mut PgConnection, user: &User) {
    let _ = user.versions(conn);
    let _ = User::versions_of(conn, 1);
}

fn main() {}
