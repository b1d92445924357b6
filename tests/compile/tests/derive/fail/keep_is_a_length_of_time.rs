use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(keep = "seven years")]
struct User;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(keep(years))]
struct Account;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(keep = "1 year 6 months", keep = "2 years")]
struct Member;

fn main() {}
