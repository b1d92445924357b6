use threadline::Audited;
use threadline_compile_tests::users;

#[derive(Audited)]
#[diesel(table_name = users, primary_key(id))]
#[audited(mask(id, email, phone), hide(phone), exclude(phoen))]
#[audited(exclude(email), mask())]
struct User {
    #[audited(mask)]
    phone: String,
}

fn main() {
    threadline::models![User];
}
