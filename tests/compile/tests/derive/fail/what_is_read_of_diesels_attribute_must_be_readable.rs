use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = "users")]
struct Table;

#[derive(Audited)]
#[diesel(table_name = users, primary_key = id)]
struct Key;

#[derive(Audited)]
#[diesel(table_name = users, primary_key())]
struct NoKey;

#[derive(Audited)]
#[diesel(table_name = users, primary_key("id"))]
struct QuotedKey;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email))]
struct Column {
    #[diesel(column_name = "e mail")]
    email: String,
}

fn main() {}
