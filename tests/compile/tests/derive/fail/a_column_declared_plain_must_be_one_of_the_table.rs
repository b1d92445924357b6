use threadline::Audited;

diesel::table! {
    devices (id) {
        id -> Int4,
        token_count -> Int4,
    }
}

#[derive(Audited)]
#[diesel(table_name = devices)]
#[audited(plain(token_cuont))]
struct Device;

fn main() {}
