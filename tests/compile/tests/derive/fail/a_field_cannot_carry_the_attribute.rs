use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        email -> Text,
        mobile -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
struct User {
    id: i32,
    #[audited(mask)]
    email: String,
    #[diesel(column_name = mobile)]
    #[audited(exclude)]
    phone: String,
}

#[derive(Audited)]
#[diesel(table_name = users)]
struct Row(#[audited(mask)] i32);

fn main() {}
