use threadline::Audited;
use threadline_compile_tests::users;

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
