use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email), exclude(email))]
struct User;

fn main() {}
