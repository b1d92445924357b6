use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Integer,
        email -> Text,
        referrer -> Integer,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(personal(emial), subject(referer = users))]
struct Misspelt;

#[derive(Audited)]
#[diesel(table_name = users, primary_key(id))]
#[audited(personal(id, email, email), subject(referrer = users, referrer = users))]
struct Key;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(personal(id))]
struct KeyOfTheTable;

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(subject(referrer))]
struct Nobody;

fn main() {}
