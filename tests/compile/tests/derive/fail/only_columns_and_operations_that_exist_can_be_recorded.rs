use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(columns(email, fone), exclude(email), operations(update, upsert), condition = 5, condition = "true", condition = "true")]
struct User;

fn main() {}
