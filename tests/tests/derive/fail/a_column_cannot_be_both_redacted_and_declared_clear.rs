use threadline::Audited;

diesel::table! {
    devices (id) {
        id -> Int4,
        api_key -> Text,
        token -> Text,
        pin -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = devices)]
#[audited(mask(api_key), exclude(token), clear(api_key, token, pin, pin))]
struct Device;

fn main() {}
