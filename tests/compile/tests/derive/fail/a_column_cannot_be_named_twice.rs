use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(email, mail, phone), mask(phone))]
struct User {
    #[diesel(column_name = email)]
    mail: String,
}

fn main() {}
