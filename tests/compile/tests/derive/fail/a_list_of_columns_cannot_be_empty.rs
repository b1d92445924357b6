use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(), exclude())]
struct User;

fn main() {}
