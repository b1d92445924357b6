use threadline::Audited;
use threadline_compile_tests::countries;

diesel::table! {
    users (id) {
        id -> Int4,
        name -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(id))]
struct MaskedUser;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(exclude(name, id))]
struct ExcludedUser;

#[derive(Audited)]
#[diesel(table_name = countries)]
#[audited(mask(code))]
struct Country;

fn main() {}
