use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(hide(email), require_actor)]
struct User;

fn main() {}
