use threadline::Audited;

diesel::table! {
    users (id) {
        id -> Int4,
        name -> Text,
        nickname -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(name))]
struct Swapped {
    #[diesel(column_name = nickname)]
    name: String,
    #[diesel(column_name = name)]
    full_name: String,
}

// The model leaves the column out.
#[derive(Audited)]
#[diesel(table_name = users)]
#[audited(mask(name))]
struct Narrow {
    #[diesel(column_name = nickname)]
    name: String,
}

fn main() {}
