use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        name -> Text,
    }
}

diesel::table! {
    countries (code) {
        code -> Text,
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
