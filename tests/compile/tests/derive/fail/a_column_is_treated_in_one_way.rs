use threadline::Audited;

diesel::table! {
    devices (id) {
        id -> Int4,
        api_key -> Text,
        token -> Text,
        pin -> Text,
        ssn -> Text,
    }
}

#[derive(Audited)]
#[diesel(table_name = devices, primary_key(id))]
#[audited(mask(api_key), exclude(token), plain(api_key, token, ssn, pin, pin))]
#[audited(hash(id, api_key, token, ssn))]
struct Device;

fn main() {}
