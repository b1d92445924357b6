use diesel::PgConnection;
use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users)]
struct User {
    id: i32,
}

fn read(conn: &mut PgConnection, user: &User) {
    let _ = user.history(conn);
}

fn main() {}
